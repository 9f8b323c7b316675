import type { FailureReason } from './names.js';

/**
 * A job in Holdfast's own words, whatever it came from (job file, GitLab payload). Everything in it is decided when the job
 * is accepted; nothing is looked up later. Only JSON values: it travels through Temporal, encrypted.
 */
export interface JobSpec {
  /** Job name as people wrote it. */
  name: string;
  /** Project path (`group/project`), already checked to stay below the builds directory. Names `/builds/<project>` and the cache. */
  project: string;
  pool: string;
  tags: string[];
  /** Absent: the engine's `defaultImage`. */
  image?: ImageSpec;
  services: ServiceSpec[];
  /** In order; a later key replaces an earlier one. Values are unexpanded, as given. */
  variables: Variable[];
  /** Further values that the trace must not show: the coordinator's token. */
  secrets?: string[];
  source?: SourceSpec;
  /** The user's main steps, run in the build container in order, each its own shell: `script`, `release`, … */
  steps: UserStep[];
  /** Runs always, in its own shell. Empty: no such step. */
  afterScript: string[];
  timeoutMs: number;
  /** Limit for the script alone; absent: the rest of the job. */
  scriptTimeoutMs?: number;
  afterScriptTimeoutMs: number;
  artifacts: ArtifactSpec[];
  caches: CacheSpec[];
  dependencies: DependencySpec[];
  credentials: RegistryCredential[];
  allowFailure: AllowFailure;
  retry: RetrySpec;
  interruptible: boolean;
  /** Token prefixes (`glpat-`, …) after which text is masked. */
  tokenPrefixes: string[];
  /** For the trace: what of the job was not understood, and is left out. */
  warnings?: string[];
  /** Bytes of trace that are kept (the head); the last 64 KiB are kept too. */
  outputLimitBytes: number;
}

export interface ImageSpec {
  /** May hold `$VARS`, expanded on the machine's side. */
  name: string;
  /** `['']` clears the image's entry point, as in GitLab. */
  entrypoint?: string[];
  /** Tried in order. */
  pullPolicy?: PullPolicy[];
  user?: string;
  platform?: string;
}

export const PULL_POLICIES = ['always', 'if-not-present', 'never'] as const;
export type PullPolicy = (typeof PULL_POLICIES)[number];

export interface ServiceSpec extends ImageSpec {
  /** Extra host names, besides those made from the image's name. */
  aliases: string[];
  command?: string[];
  variables: Variable[];
}

export interface Variable {
  key: string;
  value: string;
  /** Service containers see public variables. */
  public: boolean;
  masked: boolean;
  /** Not expanded itself. */
  raw: boolean;
  /** The value goes to a file, the variable holds its path. */
  file: boolean;
}

export interface SourceSpec {
  /** Clone URL, may hold credentials (masked by whoever made the spec). */
  repo: string;
  ref?: string;
  sha?: string;
  /** Of the repository's names; absent: SHA-1. */
  objectFormat?: 'sha256';
  refspecs: string[];
  /** 0: everything. */
  depth: number;
  strategy: 'clone' | 'fetch' | 'none' | 'empty';
  submodules: 'none' | 'normal' | 'recursive';
  /** Extra settings (clean flags, fetch flags, LFS, checkout, submodule paths/depth) come as the variables that GitLab documents. */
  attempts: number;
  preScript: string[];
  postScript: string[];
}

export interface UserStep {
  name: string;
  script: string[];
}

export interface ArtifactSpec {
  /** Unexpanded; default `default` for GitLab's archive, `artifacts` elsewhere. */
  name?: string;
  paths: string[];
  exclude: string[];
  untracked: boolean;
  when: 'on_success' | 'on_failure' | 'always';
  /** GitLab's artifact type: `archive`, `junit`, … */
  type: string;
  format: 'zip' | 'gzip' | 'raw';
  expireIn?: string;
}

export interface CacheSpec {
  key: string;
  fallbackKeys: string[];
  paths: string[];
  untracked: boolean;
  policy: string;
  when: 'on_success' | 'on_failure' | 'always';
}

export interface DependencySpec {
  id: number;
  name: string;
  token: string;
  filename: string;
  size: number;
}

export interface RegistryCredential {
  url: string;
  username: string;
  password: string;
  /** What some registries give after a login, in place of a password. */
  identityToken?: string;
}

export type AllowFailure = { kind: 'never' } | { kind: 'always' } | { kind: 'exitCodes'; exitCodes: number[] };

export interface RetrySpec {
  /** Runs after the first one, 0 to 2 as in GitLab. */
  max: number;
  when: (FailureReason | 'always')[];
  /** Of the script; one of these is enough, whatever `when` says. Absent in jobs of earlier versions. */
  exitCodes?: number[];
}

/** Job files: timeout when none is given. */
export const DEFAULT_JOB_TIMEOUT_MS = 60 * 60_000;
export const DEFAULT_AFTER_SCRIPT_TIMEOUT_MS = 5 * 60_000;
export const DEFAULT_OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024;
