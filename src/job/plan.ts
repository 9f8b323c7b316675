import type {
  ArtifactSpec,
  CacheSpec,
  DependencySpec,
  ImageSpec,
  JobSpec,
  RegistryCredential,
} from '../contracts/job-spec.js';
import type { ServiceRequest, StepScript } from '../machines/engine.js';
import { getSourcesScript } from '../shell/git.js';
import { isTrue, stepScript } from '../shell/script.js';
import { compressionOf, type Compression } from './compression.js';
import { parseGoDuration } from './durations.js';
import { expand } from './expand.js';
import { holdOf } from './hold-on-failure.js';
import { plannedSteps } from './planned-steps.js';
import { provenanceFacts, type ProvenanceFacts } from './provenance-facts.js';
import { resolveVariables, secretsOf, type JobFacts, type ResolvedVariables } from './variables.js';

/** A job made ready for one machine: everything expanded, every script written. Sealed in the store, for it is full of secrets. */
export interface JobPlan {
  machine: string;
  project: string;
  projectDirectory: string;
  image: ImageSpec;
  services: ServiceRequest[];
  steps: StepScript[];
  needsHelper: boolean;
  /** There are sources, and `GIT_STRATEGY: none` has them left alone: no step says so. */
  skipsSources?: true;
  masks: string[];
  tokenPrefixes: string[];
  outputLimitBytes: number;
  /** Names and paths as they were given: the script may still set what they refer to. */
  artifacts: ArtifactSpec[];
  caches: CacheSpec[];
  /** What paths may refer to; `$GITLAB_ENV` of the job outranks it. */
  pathVariables: Record<string, string>;
  /** The job wants each archive to say where it comes from. */
  provenance?: ProvenanceFacts;
  compression?: Compression;
  dependencies: DependencySpec[];
  credentials: RegistryCredential[];
  dockerAuthConfig?: string;
  scriptTimeoutMs: number | null;
  afterScriptTimeoutMs: number;
  serviceWaitMs?: number;
  /** As the job's variable has it; 0: its machine is not held. */
  holdOnFailureMs: number;
  /** For the trace: what in the job is malformed and was left at its default. */
  warnings: string[];
  /** `false`: the coordinator does not know section marks. */
  sections?: boolean;
  /** Why the job cannot run anywhere: its author must act. */
  problem?: string;
}

/** @throws ExpansionError */
export function planJob(
  spec: JobSpec,
  given: Omit<JobFacts, 'image' | 'projectDirectory' | 'temporaryDirectory'> & { defaultImage: string },
): JobPlan {
  const asked = spec.image ?? { name: given.defaultImage };
  const { facts: place, problem } = placeOf(spec, { ...given, image: asked.name });
  const image = expandImage(asked, resolveVariables(spec, place));
  const facts = { ...place, image: image.name };
  const { projectDirectory } = facts;
  const variables = resolveVariables(spec, facts);
  const warnings: string[] = [...(spec.warnings ?? []), ...withoutEffect(spec, variables)];
  const dockerAuthConfig = variables.content('DOCKER_AUTH_CONFIG');
  const fetches = plannedSteps(spec).some((step) => step.name === 'get_sources');
  const provenance = provenanceFacts(variables, facts);
  return {
    machine: given.machine,
    project: spec.project,
    projectDirectory,
    image,
    services: spec.services.map((service) => ({
      ...expandImage(service, variables),
      aliases: service.aliases.flatMap((alias) =>
        expand(alias, variables.lookup)
          .split(/[\s,]+/)
          .filter((name) => name !== ''),
      ),
      ...(service.command === undefined ? {} : { command: service.command }),
      environment: serviceEnvironment(spec, service.variables, variables),
    })),
    steps: stepScripts(spec, facts, variables, warnings),
    needsHelper: fetches,
    ...(spec.source === undefined || fetches ? {} : { skipsSources: true }),
    masks: secretsOf(spec, variables),
    tokenPrefixes: spec.tokenPrefixes,
    outputLimitBytes: spec.outputLimitBytes,
    artifacts: spec.artifacts,
    caches: spec.caches.map((cache) => expandCache(cache, variables, warnings)).filter((cache) => cache.key !== ''),
    pathVariables: pathVariables(spec, variables),
    ...(provenance === undefined ? {} : { provenance }),
    compression: compressionOf(variables, warnings),
    dependencies: spec.dependencies,
    credentials: spec.credentials,
    ...(dockerAuthConfig === undefined ? {} : { dockerAuthConfig }),
    scriptTimeoutMs: timeoutOf('RUNNER_SCRIPT_TIMEOUT', spec.scriptTimeoutMs ?? null, spec, variables, warnings),
    afterScriptTimeoutMs:
      timeoutOf('RUNNER_AFTER_SCRIPT_TIMEOUT', spec.afterScriptTimeoutMs, spec, variables, warnings) ??
      spec.afterScriptTimeoutMs,
    holdOnFailureMs: holdOf(variables.content, warnings),
    warnings,
    ...(problem === undefined ? {} : { problem }),
  };
}

/** Where the sources lie: `<builds>/<project>`, with `-empty` for that strategy, or where `GIT_CLONE_PATH` says. */
function placeOf(
  spec: JobSpec,
  given: Omit<JobFacts, 'projectDirectory' | 'temporaryDirectory'>,
): { facts: JobFacts; problem?: string } {
  const at = (projectDirectory: string): JobFacts => ({
    ...given,
    projectDirectory,
    temporaryDirectory: `${projectDirectory}.tmp`,
  });
  const usual = at(`${given.buildsDirectory}/${spec.project}`);
  const { lookup } = resolveVariables(spec, usual);
  const suffix =
    spec.source !== undefined && (lookup('GIT_STRATEGY') ?? spec.source.strategy) === 'empty' ? '-empty' : '';
  const asked = lookup('GIT_CLONE_PATH') ?? '';
  if (asked === '') return { facts: at(usual.projectDirectory + suffix) };
  const path = clonePath(asked, given.buildsDirectory);
  if (path !== undefined) return { facts: at(path + suffix) };
  return {
    facts: usual,
    problem: `GIT_CLONE_PATH "${asked}" does not lie below ${given.buildsDirectory}: begin it with $CI_BUILDS_DIR/`,
  };
}

/** gitlab-protocol section 6.3 */
function clonePath(asked: string, buildsDirectory: string): string | undefined {
  const segments: string[] = [];
  for (const segment of asked.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  const path = `/${segments.join('/')}`;
  return asked.startsWith('/') && path.startsWith(`${buildsDirectory}/`) && !/[\0:\n]/.test(path) ? path : undefined;
}

function stepScripts(spec: JobSpec, facts: JobFacts, variables: ResolvedVariables, warnings: string[]): StepScript[] {
  const common = { variables, projectDirectory: facts.projectDirectory, temporaryDirectory: facts.temporaryDirectory };
  return plannedSteps(spec)
    .filter((step) => step.kind === 'container')
    .map(({ name }): StepScript => {
      if (name === 'get_sources' && spec.source !== undefined) {
        return { name, role: 'helper', script: getSourcesScript({ ...common, source: spec.source, warnings }) };
      }
      return { name, role: 'build', script: stepScript({ ...common, commands: commandsOf(spec, name, variables) }) };
    });
}

function commandsOf(spec: JobSpec, step: string, variables: ResolvedVariables): string[] {
  if (step === 'after_script') return spec.afterScript;
  const script = spec.steps.find(({ name }) => `step_${name}` === step)?.script ?? [];
  // The release step's lines are GitLab's and not the user's: expanded before a shell sees them (gitlab-protocol section 6.2).
  return step === 'step_release' ? script.map((line) => expand(line, variables.lookup)) : script;
}

function expandImage(image: ImageSpec, variables: ResolvedVariables): ImageSpec {
  const { name, entrypoint, pullPolicy, user, platform } = image;
  return {
    name: expand(name, variables.lookup),
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(pullPolicy === undefined ? {} : { pullPolicy }),
    ...(user === undefined ? {} : { user: expand(user, variables.lookup) }),
    ...(platform === undefined ? {} : { platform: expand(platform, variables.lookup) }),
  };
}

/** Services see the job's public variables, and their own (gitlab-protocol section 5.2). */
function serviceEnvironment(
  spec: JobSpec,
  own: JobSpec['variables'],
  variables: ResolvedVariables,
): Record<string, string> {
  const visible = spec.variables.filter((variable) => variable.public && !variable.file && !variable.masked);
  const environment = Object.fromEntries(
    [...variables.predefined, ...visible.map(({ key }) => key)].map((key) => [key, variables.lookup(key) ?? '']),
  );
  for (const variable of own) {
    environment[variable.key] = variable.raw
      ? variable.value
      : expand(variable.value, (name) => environment[name] ?? variables.lookup(name));
  }
  return environment;
}

/** All variables, where a path or name refers to any: which ones, only the shell's rules tell. */
function pathVariables(spec: JobSpec, variables: ResolvedVariables): Record<string, string> {
  const texts = [
    ...spec.artifacts.flatMap(({ name = '', paths, exclude }) => [name, ...paths, ...exclude]),
    ...spec.caches.flatMap(({ paths }) => paths),
  ];
  if (!texts.some((text) => text.includes('$'))) return {};
  return Object.fromEntries(variables.exports.map(({ key, value }) => [key, value]));
}

function expandCache(cache: CacheSpec, variables: ResolvedVariables, warnings: string[]): CacheSpec {
  const keyOf = (given: string) => {
    const expanded = expand(given, variables.lookup);
    const key = cleanCacheKey(expanded);
    if (key === '') warnings.push(`cache key "${expanded}" is empty once it is cleaned; this cache is skipped`);
    else if (key !== expanded) warnings.push(`cache key "${expanded}" is used as "${key}"`);
    return key;
  };
  return {
    ...cache,
    key: keyOf(cache.key),
    fallbackKeys: [...cache.fallbackKeys.map(keyOf), ...globalFallbackKey(variables, warnings)].filter(
      (key) => key !== '',
    ),
    policy: expand(cache.policy, variables.lookup),
  };
}

/** As a path inside of a root of its own: no way up, no trailing blanks (gitlab-protocol section 8.1). */
export function cleanCacheKey(key: string): string {
  const segments: string[] = [];
  for (const segment of key.replaceAll(/%2f/gi, '/').replaceAll(/%2e/gi, '.').replaceAll('\\', '/').split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return segments.join('/').trimEnd();
}

/** `CACHE_FALLBACK_KEY`; never one of a protected branch, whose cache others must not read. */
function globalFallbackKey(variables: ResolvedVariables, warnings: string[]): string[] {
  const key = cleanCacheKey(variables.lookup('CACHE_FALLBACK_KEY') ?? '');
  if (key === '') return [];
  if (!/-protected[.\s]*$/.test(key)) return [key];
  warnings.push(`CACHE_FALLBACK_KEY "${key}" ends in "-protected"; it is ignored`);
  return [];
}

/** Who asks for something and sees nothing of it looks for the fault elsewhere. */
function withoutEffect({ services }: JobSpec, variables: ResolvedVariables): string[] {
  if (services.length === 0 || !isTrue(variables.lookup('CI_DEBUG_SERVICES'))) return [];
  return [
    'CI_DEBUG_SERVICES shows no logs of services that run; the log of one that does not start is shown without it',
  ];
}

/** gitlab-protocol section 3.3: malformed, negative or longer than the job's own time: a warning, and the default stays. */
function timeoutOf(
  name: string,
  fallback: number | null,
  spec: JobSpec,
  variables: ResolvedVariables,
  warnings: string[],
): number | null {
  const text = variables.lookup(name);
  if (text === undefined || text === '') return fallback;
  const ms = parseGoDuration(text);
  if (ms === 0) return fallback;
  if (ms !== undefined && ms <= spec.timeoutMs) return ms;
  const why = ms === undefined ? 'is no duration such as 90s or 1h30m' : `is longer than the job's timeout`;
  warnings.push(`${name} "${text}" ${why}; it is ignored`);
  return fallback;
}
