import {
  DEFAULT_AFTER_SCRIPT_TIMEOUT_MS,
  DEFAULT_JOB_TIMEOUT_MS,
  DEFAULT_OUTPUT_LIMIT_BYTES,
  type ArtifactSpec,
  type ImageSpec,
  type JobSpec,
  type ServiceSpec,
  type SourceSpec,
  type Variable,
} from '../contracts/job-spec.js';
import { DEFAULT_POOL } from '../contracts/names.js';
import { artifactFormat } from './artifact-types.js';
import type { JobFile } from './job-file.js';

/** A job file in our own words; pure, and free of Node, for the workflow calls it too. */
export function jobFileToSpec(job: JobFile, overrides: { variables?: Record<string, string> } = {}): JobSpec {
  const name = job.name ?? 'job';
  return {
    name,
    project: projectPath(job, name),
    pool: job.pool ?? DEFAULT_POOL,
    tags: job.tags,
    ...(job.image === undefined ? {} : { image: toImage(job.image) }),
    services: job.services.map((service) => toService(service)),
    variables: [
      ...toVariables(job.variables),
      ...Object.entries(overrides.variables ?? {}).map(([key, value]) => plainVariable(key, value)),
    ],
    ...(job.source === undefined ? {} : { source: toSource(job.source) }),
    steps: [{ name: 'script', script: [...job.before_script, ...job.script] }],
    afterScript: job.after_script,
    timeoutMs: job.timeout ?? DEFAULT_JOB_TIMEOUT_MS,
    afterScriptTimeoutMs: DEFAULT_AFTER_SCRIPT_TIMEOUT_MS,
    artifacts: job.artifacts === undefined ? [] : toArtifacts(job.artifacts),
    caches: job.cache
      .filter((cache) => cache.paths.length > 0 || cache.untracked)
      .map((cache) => ({
        key: cache.key,
        fallbackKeys: cache.fallback_keys,
        paths: cache.paths,
        untracked: cache.untracked,
        policy: cache.policy,
        when: cache.when,
      })),
    dependencies: [],
    credentials: [],
    allowFailure: toAllowFailure(job.allow_failure),
    retry: job.retry,
    interruptible: job.interruptible,
    tokenPrefixes: [],
    outputLimitBytes: DEFAULT_OUTPUT_LIMIT_BYTES,
  };
}

function toAllowFailure(given: JobFile['allow_failure']): JobSpec['allowFailure'] {
  if (typeof given === 'object') return { kind: 'exitCodes', exitCodes: given.exit_codes };
  return { kind: given ? 'always' : 'never' };
}

type GivenImage = NonNullable<JobFile['image']>;

function toImage(image: GivenImage): ImageSpec {
  if (!('entrypoint' in image || 'pull_policy' in image || 'docker' in image)) return { name: image.name };
  return {
    name: image.name,
    ...(image.entrypoint === undefined ? {} : { entrypoint: image.entrypoint }),
    ...(image.pull_policy === undefined ? {} : { pullPolicy: image.pull_policy }),
    ...(image.docker?.user === undefined ? {} : { user: image.docker.user }),
    ...(image.docker?.platform === undefined ? {} : { platform: image.docker.platform }),
  };
}

function toService(service: JobFile['services'][number]): ServiceSpec {
  const alias = 'alias' in service ? (service.alias ?? '') : '';
  return {
    ...toImage(service),
    aliases: alias.split(/[\s,]+/).filter((part) => part !== ''),
    ...('command' in service && service.command !== undefined ? { command: service.command } : {}),
    variables: 'variables' in service && service.variables !== undefined ? toVariables(service.variables) : [],
  };
}

function toVariables(variables: JobFile['variables']): Variable[] {
  return Object.entries(variables).map(([key, entry]) => ({
    key,
    value: entry.value,
    public: true,
    masked: entry.masked,
    raw: !entry.expand,
    file: entry.file,
  }));
}

function plainVariable(key: string, value: string): Variable {
  return { key, value, public: true, masked: false, raw: true, file: false };
}

function toSource(source: NonNullable<JobFile['source']>): SourceSpec {
  return {
    repo: source.repo,
    ...(source.ref === undefined ? {} : { ref: source.ref }),
    ...(source.sha === undefined ? {} : { sha: source.sha }),
    refspecs: [],
    depth: source.depth,
    strategy: source.strategy,
    submodules: source.submodules,
    attempts: 1,
    preScript: [],
    postScript: [],
  };
}

function toArtifacts(artifacts: NonNullable<JobFile['artifacts']>): ArtifactSpec[] {
  const common = {
    exclude: artifacts.exclude,
    ...(artifacts.expire_in === undefined ? {} : { expireIn: artifacts.expire_in }),
  };
  const archive: ArtifactSpec[] =
    artifacts.paths.length > 0 || artifacts.untracked
      ? [
          {
            ...common,
            name: artifacts.name ?? 'artifacts',
            paths: artifacts.paths,
            untracked: artifacts.untracked,
            when: artifacts.when,
            type: 'archive',
            format: 'zip',
          },
        ]
      : [];
  const reports = Object.entries(artifacts.reports).map(([given, value]): ArtifactSpec => {
    const [type, paths] = Array.isArray(value) ? [given, value] : [value.coverage_format, [value.path]];
    return {
      ...common,
      name: type,
      paths,
      untracked: false,
      when: 'always',
      type,
      format: artifactFormat(type) ?? 'raw',
    };
  });
  return [...archive, ...reports];
}

/** Where the sources lie below the builds directory, and whose cache it is: the repository's last two segments, or the job's name. */
function projectPath(job: JobFile, name: string): string {
  const path =
    job.source?.repo
      .replace(/[?#].*$/, '')
      .replace(/\/+$/, '')
      .replace(/\.git$/, '') ?? name;
  const segments = path
    .split(/[/:\\]+/)
    .map((segment) => segment.replace(/[^A-Za-z0-9_.-]+/g, '-').replace(/^[.-]+|[.-]+$/g, ''))
    .filter((segment) => segment !== '');
  const kept = segments.slice(job.source === undefined ? -1 : -2);
  return kept.length === 0 ? 'job' : kept.join('/').slice(0, 200);
}
