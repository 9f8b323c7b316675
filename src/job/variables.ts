import type { JobSpec, Variable } from '../contracts/job-spec.js';
import { secretsOfDockerAuthConfig } from './docker-auth-config.js';
import { expand, ExpansionError, MAX_EXPANDED_CHARACTERS } from './expand.js';

/** What is known of the job besides its spec when its machine is prepared. */
export interface JobFacts {
  workflowId: string;
  jobId: string;
  engine: string;
  machine: string;
  image: string;
  buildsDirectory: string;
  projectDirectory: string;
  temporaryDirectory: string;
  version: string;
  /** Of this build. */
  revision: string;
  /** Of the job alone, if it has one. */
  network?: string;
}

export interface ResolvedVariables {
  /** What every script exports, in order; a file variable's value is its path. */
  exports: { key: string; value: string }[];
  /** `secret`: for its owner's eyes. */
  files: { path: string; content: string; secret?: true }[];
  lookup: (name: string) => string | undefined;
  /** As `lookup`, but what is in the file of a file variable. */
  content: (name: string) => string | undefined;
  /** Keys that come from the runner and that the job does not replace; nothing secret is among them. */
  predefined: string[];
}

/** Order and expansion of gitlab-protocol sections 6.1 and 6.2: a later key replaces an earlier one. @throws ExpansionError */
export function resolveVariables(spec: JobSpec, facts: JobFacts): ResolvedVariables {
  const byKey = new Map<string, Variable>();
  const own = new Set(spec.variables.map(({ key }) => key));
  const predefined = [...before(spec, facts), ...after(facts)].map(({ key }) => key).filter((key) => !own.has(key));
  for (const variable of [...before(spec, facts), ...spec.variables, ...after(facts)])
    byKey.set(variable.key, variable);
  const inserted = (name: string): string | undefined => {
    const variable = byKey.get(name);
    if (variable === undefined) return undefined;
    return variable.file ? filePath(facts, variable.key) : variable.value;
  };
  const values = new Map<string, string>();
  const files: ResolvedVariables['files'] = [];
  let characters = 0;
  for (const variable of byKey.values()) {
    // A file is named after its variable; what is no name could be a path to elsewhere.
    if (variable.file && !isName(variable.key)) continue;
    const value = variable.raw ? variable.value : expand(variable.value, inserted);
    characters += value.length;
    if (characters > MAX_EXPANDED_CHARACTERS) throw new ExpansionError();
    if (variable.file) {
      const secret = SECRET_FILES.has(variable.key) ? ({ secret: true } as const) : {};
      files.push({ path: filePath(facts, variable.key), content: value, ...secret });
    }
    values.set(variable.key, variable.file ? filePath(facts, variable.key) : value);
  }
  return {
    exports: [...values].map(([key, value]) => ({ key, value })),
    files,
    lookup: (name) => values.get(name),
    content: (name) => files.find(({ path }) => path === values.get(name))?.content ?? values.get(name),
    predefined,
  };
}

/** Everything that the trace must not show. Values are masked as given and as expanded. */
export function secretsOf(spec: JobSpec, resolved: ResolvedVariables): string[] {
  const declared = spec.variables
    .filter((variable) => variable.masked)
    .flatMap((variable) => {
      return [variable.value, resolved.content(variable.key) ?? ''];
    });
  const passwords = spec.credentials.map((credential) => credential.password);
  const registries = secretsOfDockerAuthConfig(resolved.content('DOCKER_AUTH_CONFIG'));
  const tokens = spec.dependencies.map((dependency) => dependency.token);
  const others = [...passwords, ...registries, ...tokens, ...urlPassword(spec.source?.repo)];
  return [...new Set([...declared, ...(spec.secrets ?? []), ...others])].filter((secret) => secret.trim() !== '');
}

function urlPassword(repo: string | undefined): string[] {
  if (repo === undefined || !URL.canParse(repo)) return [];
  const { password } = new URL(repo);
  return password === '' ? [] : [password, decodeURIComponent(password)];
}

const SECRET_FILES = new Set(['CI_SERVER_TLS_KEY_FILE']);

function isName(key: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key);
}

function filePath(facts: JobFacts, key: string): string {
  return `${facts.temporaryDirectory}/${key}`;
}

const OF_EVERY_JOB = new Set([
  'CI_BUILDS_DIR',
  'CI_PROJECT_DIR',
  'CI_CONCURRENT_ID',
  'CI_CONCURRENT_PROJECT_ID',
  'CI_SERVER',
  'CI_JOB_STATUS',
  'CI_JOB_TIMEOUT',
]);

/** A variable that only a job itself may set otherwise. */
export function isOfEveryJob(key: string): boolean {
  return OF_EVERY_JOB.has(key);
}

function before(spec: JobSpec, facts: JobFacts): Variable[] {
  return Object.entries({
    CI: 'true',
    CI_JOB_IMAGE: facts.image,
    CI_JOB_NAME: spec.name,
    CI_BUILDS_DIR: facts.buildsDirectory,
    CI_PROJECT_DIR: facts.projectDirectory,
    CI_PROJECT_PATH: spec.project,
    CI_SERVER: 'yes',
    CI_JOB_STATUS: 'running',
    CI_JOB_TIMEOUT: String(Math.round(spec.timeoutMs / 1000)),
    CI_CONCURRENT_ID: '0',
    CI_CONCURRENT_PROJECT_ID: '0',
    HOLDFAST_JOB_ID: facts.jobId,
    HOLDFAST_WORKFLOW_ID: facts.workflowId,
    HOLDFAST_MACHINE: facts.machine,
    HOLDFAST_ENGINE: facts.engine,
  }).map(([key, value]) => predefined(key, value));
}

function after(facts: JobFacts): Variable[] {
  return Object.entries({
    CI_DISPOSABLE_ENVIRONMENT: 'true',
    CI_RUNNER_VERSION: facts.version,
    CI_RUNNER_REVISION: facts.revision,
    CI_RUNNER_EXECUTABLE_ARCH: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
    RUNNER_TEMP_PROJECT_DIR: facts.temporaryDirectory,
    GITLAB_ENV: `${facts.temporaryDirectory}/gitlab_runner_env`,
    ...(facts.network === undefined ? {} : { CI_BUILD_NETWORK_NAME: facts.network }),
  }).map(([key, value]) => predefined(key, value));
}

function predefined(key: string, value: string): Variable {
  return { key, value, public: true, masked: false, raw: true, file: false };
}
