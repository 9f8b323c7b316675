import type { Coordinator } from '../../contracts/ci-job.js';
import {
  DEFAULT_AFTER_SCRIPT_TIMEOUT_MS,
  PULL_POLICIES,
  type ArtifactSpec,
  type CacheSpec,
  type ImageSpec,
  type JobSpec,
  type ServiceSpec,
  type SourceSpec,
  type Variable,
} from '../../contracts/job-spec.js';
import { artifactFormat } from '../../job/artifact-types.js';
import { isTrue } from '../../shell/script.js';
import { refusalOf, type Refusal } from './refusals.js';
import { readDockerOptions, type JobPayload, type PayloadImage } from './schema.js';

/** What the `gitlab[]` entry that took the job decides. */
export interface GitlabEntryFacts {
  name: string;
  url: string;
  pool: string;
  outputLimitBytes: number;
  /** Variables of the entry; those of the job outrank them. */
  environment?: readonly Variable[];
  /** Replaces scheme and host of the repository's address. */
  cloneUrl?: string;
  scripts?: EntryScripts;
}

/** What the operator runs around a job's own lines. */
export interface EntryScripts {
  preGetSources?: string;
  postGetSources?: string;
  preBuild?: string;
  postBuild?: string;
}

/** `runner_info.timeout` of 0 or less (gitlab-protocol section 2). */
const DEFAULT_TIMEOUT_SECONDS = 7200;

/** A Temporal payload ends at 2 MB, and not everything can be compressed. */
const MAX_SPEC_CHARACTERS = 1_800_000;

/** GitLab's job in our own words, or why it cannot be one. */
export function specOfPayload(
  payload: JobPayload,
  entry: GitlabEntryFacts,
): { spec: JobSpec; coordinator: Coordinator } | { refused: Refusal } {
  const refused = refusalOf(payload);
  if (refused !== undefined) return { refused };
  const spec = toSpec(payload, entry);
  if (JSON.stringify(spec).length > MAX_SPEC_CHARACTERS) {
    return {
      refused: {
        reason: 'runner_unsupported',
        message: `The job (variables and scripts) is larger than ${String(MAX_SPEC_CHARACTERS)} characters: keep large contents in files of the repository`,
      },
    };
  }
  return {
    spec,
    coordinator: {
      kind: 'gitlab',
      entry: entry.name,
      url: entry.url,
      jobId: payload.id,
      token: payload.token,
      failureReasons: payload.features.failure_reasons,
      traceSections: payload.features.trace_sections,
      ...(isDebugged(payload) ? { debugTrace: true } : {}),
    },
  };
}

/** GitLab shows such a log to fewer people (gitlab-protocol section 1.6). */
function isDebugged(payload: JobPayload): boolean {
  const value = (name: string) => payload.variables.findLast(({ key }) => key === name)?.value;
  return [value('CI_DEBUG_TRACE'), value('CI_DEBUG_SERVICES')].some(isTrue);
}

function toSpec(payload: JobPayload, entry: GitlabEntryFacts): JobSpec {
  const { timeout } = payload.runner_info;
  const source = toSource(payload, entry);
  const warnings = warningsOf(payload);
  return {
    name: payload.job_info.name === '' ? `job ${String(payload.id)}` : payload.job_info.name,
    project: projectOf(payload),
    pool: entry.pool,
    tags: [],
    ...(payload.image === undefined || payload.image.name === '' ? {} : { image: toImage(payload.image) }),
    services: payload.services.filter((service) => service.name !== '').map(toService),
    variables: [...(entry.environment ?? []), ...payload.variables],
    secrets: [payload.token],
    ...(source === undefined ? {} : { source }),
    steps: payload.steps
      .filter((step) => step.name !== 'after_script' && step.script.length > 0)
      .map(({ name, script }) => ({ name, script: around(entry.scripts?.preBuild, script, entry.scripts?.postBuild) })),
    afterScript: payload.steps.find((step) => step.name === 'after_script')?.script ?? [],
    timeoutMs: (timeout > 0 ? timeout : DEFAULT_TIMEOUT_SECONDS) * 1000,
    afterScriptTimeoutMs: DEFAULT_AFTER_SCRIPT_TIMEOUT_MS,
    artifacts: payload.artifacts.flatMap((artifact) => {
      const when = knownWhen(artifact.when);
      return when === undefined ? [] : [toArtifact(artifact, when)];
    }),
    caches: payload.cache
      .filter((cache) => cache.paths.length > 0 || cache.untracked)
      // With a `when` that nobody knows it is restored and in no case saved, as with gitlab-runner.
      .filter((cache) => knownWhen(cache.when) !== undefined || cache.policy !== 'push')
      .map((cache) => toCache(cache, payload)),
    dependencies: payload.dependencies
      .filter(({ artifacts_file: file }) => file.filename !== '')
      .map(({ id, token, name, artifacts_file: file }) => ({
        id,
        name,
        token: token === '' ? payload.token : token,
        filename: file.filename,
        size: file.size,
      })),
    credentials: payload.credentials
      .filter(({ type, url }) => type === 'registry' && url !== '')
      .map(({ url, username, password }) => ({ url, username, password })),
    // The server decides about allow_failure and retry; it is told the exit code.
    allowFailure: { kind: 'never' },
    retry: { max: 0, when: [] },
    interruptible: false,
    ...(warnings.length === 0 ? {} : { warnings }),
    tokenPrefixes: payload.features.token_mask_prefixes,
    outputLimitBytes: entry.outputLimitBytes,
  };
}

function projectOf(payload: JobPayload): string {
  const { project_full_path: path, project_id: id } = payload.job_info;
  return path === '' ? `project-${String(id ?? 'unknown')}` : path;
}

function toImage(image: PayloadImage): ImageSpec {
  const docker = readDockerOptions(image.executor_opts);
  const policies = PULL_POLICIES.filter((policy) => image.pull_policy.includes(policy));
  policies.sort((a, b) => image.pull_policy.indexOf(a) - image.pull_policy.indexOf(b));
  return {
    name: image.name,
    ...(image.entrypoint.length === 0 ? {} : { entrypoint: image.entrypoint }),
    ...(policies.length === 0 ? {} : { pullPolicy: policies }),
    ...(docker === undefined || docker.user === '' ? {} : { user: docker.user }),
    ...(docker === undefined || docker.platform === '' ? {} : { platform: docker.platform }),
  };
}

function toService(service: PayloadImage): ServiceSpec {
  return {
    ...toImage(service),
    aliases: service.alias.split(/[\s,]+/).filter((alias) => alias !== ''),
    ...(service.command.length === 0 ? {} : { command: service.command }),
    variables: service.variables,
  };
}

function around(before: string | undefined, script: string[], after: string | undefined): string[] {
  return [before, ...script, after].filter((line) => line !== undefined);
}

function toSource(payload: JobPayload, entry: GitlabEntryFacts): SourceSpec | undefined {
  const git = payload.git_info;
  if (git === undefined || git.repo_url === '') return undefined;
  const hook = (name: string) => payload.hooks.filter((entry) => entry.name === name).flatMap((entry) => entry.script);
  return {
    repo: entry.cloneUrl === undefined ? git.repo_url : movedTo(git.repo_url, entry.cloneUrl),
    ...(git.ref === '' ? {} : { ref: git.ref }),
    ...(git.sha === '' ? {} : { sha: git.sha }),
    ...(git.repo_object_format === 'sha256' ? { objectFormat: 'sha256' } : {}),
    refspecs: git.refspecs,
    depth: git.depth,
    strategy: payload.allow_git_fetch ? 'fetch' : 'clone',
    submodules: 'none',
    attempts: 1,
    preScript: around(entry.scripts?.preGetSources, hook('pre_get_sources_script'), undefined),
    postScript: around(entry.scripts?.postGetSources, hook('post_get_sources_script'), undefined),
  };
}

/** The same repository and credentials at another address. */
function movedTo(repo: string, base: string): string {
  if (!URL.canParse(repo)) return repo;
  const from = new URL(repo);
  const to = new URL(base);
  to.username = from.username;
  to.password = from.password;
  to.pathname = `${to.pathname.replace(/\/+$/, '')}${from.pathname}`;
  return to.toString();
}

type When = ArtifactSpec['when'];

/** @returns undefined for one that nobody knows here: as with gitlab-runner it is then in no case */
function knownWhen(when: string): When | undefined {
  return (['on_success', 'on_failure', 'always'] as const).find((known) => known === when);
}

function warningsOf({ artifacts, cache }: JobPayload): string[] {
  const unknown = (what: string, when: string) =>
    knownWhen(when) === undefined ? [`${what}: when "${when.slice(0, 100)}" is not known here; it is left out`] : [];
  return [
    ...artifacts.flatMap(({ name, when }) => unknown(`artifacts ${name}`.trim(), when)),
    ...cache.flatMap(({ key, when }) => unknown(`saving cache ${key}`.trim(), when)),
  ];
}

function toArtifact(artifact: JobPayload['artifacts'][number], when: When): ArtifactSpec {
  const type = artifact.artifact_type === '' ? 'archive' : artifact.artifact_type;
  const given = (['zip', 'gzip', 'raw'] as const).find((format) => format === artifact.artifact_format);
  return {
    ...(artifact.name === '' ? {} : { name: artifact.name }),
    paths: artifact.paths,
    exclude: artifact.exclude,
    untracked: artifact.untracked,
    when,
    type,
    format: given ?? artifactFormat(type) ?? 'zip',
    ...(artifact.expire_in === '' ? {} : { expireIn: artifact.expire_in }),
  };
}

function toCache(cache: JobPayload['cache'][number], payload: JobPayload): CacheSpec {
  return {
    // gitlab-protocol section 8.1
    key: cache.key === '' ? `${payload.job_info.name}/${payload.git_info?.ref ?? ''}` : cache.key,
    fallbackKeys: cache.fallback_keys,
    paths: cache.paths,
    untracked: cache.untracked,
    policy: knownWhen(cache.when) === undefined ? 'pull' : cache.policy === '' ? 'pull-push' : cache.policy,
    when: knownWhen(cache.when) ?? 'on_success',
  };
}
