import { z } from 'zod';
import type { JobProblem } from '../contracts/job-input.js';
import { PULL_POLICIES } from '../contracts/job-spec.js';
import { FAILURE_REASONS, type FailureReason } from '../contracts/names.js';
import { REPORT_TYPES } from './artifact-types.js';
import { parseDuration } from './durations.js';
import { inWords, toProblems } from './problems.js';
import { readAs } from './read-as.js';

/**
 * The job file: the keywords and meanings of a job in `.gitlab-ci.yml`. This module runs in the workflow's sandbox too, so it
 * uses nothing of Node.
 */

/** More than any script that a person wrote; a payload of Temporal ends at 2 MB. */
const MAX_TEXT = 512 * 1024;
const MAX_LIST = 1000;
/** GitLab's limit for nested script lists. */
const MAX_SCRIPT_NESTING = 10;

const Text = z
  .string({ error: 'must be text' })
  .max(MAX_TEXT, { error: `must not be longer than ${String(MAX_TEXT)} characters` })
  .refine((text) => !text.includes('\0'), { error: 'must not contain a null character' });
const NonEmpty = Text.refine((text) => text.trim() !== '', { error: 'must not be empty' });

/** A command, a list of them, or lists in lists as YAML anchors make them. */
const Script = z.preprocess(
  (value) => flattenScript(value, 0),
  z.array(Text, { error: 'must be a command or a list of commands' }).max(MAX_LIST * 10),
);

const Duration = z.union([Text, z.number()]).transform((value, context) => {
  const ms = parseDuration(String(value));
  if (ms !== undefined && ms > 0) return ms;
  context.addIssue({ code: 'custom', message: 'must be a time such as "1h 30m", "90 minutes" or a number of seconds' });
  return z.NEVER;
});

/** YAML 1.1, which GitLab reads, has more words for a boolean than JSON and YAML 1.2. */
const WORDS_FOR_BOOLEAN: Record<string, boolean> = {
  true: true,
  yes: true,
  on: true,
  false: false,
  no: false,
  off: false,
};
const Flag = z.preprocess(
  (value) => (typeof value === 'string' ? (WORDS_FOR_BOOLEAN[value.toLowerCase()] ?? value) : value),
  z.boolean(),
);

const Name = z
  .string({ error: 'must be a variable name' })
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'is not a variable name: letters, digits and _ only, no digit first' });

const VariableValue = z
  .union([Text, z.number(), z.boolean()], { error: 'must be text, a number or a boolean' })
  .transform(String);

const VariableEntry = z.union([
  VariableValue.transform((value) => ({ value, expand: true, masked: false, file: false })),
  z.strictObject({
    value: VariableValue,
    description: Text.optional(),
    /** false: the value is taken as it is. */
    expand: Flag.default(true),
    /** Ours: a job file has no project settings in which to mask a variable. */
    masked: Flag.default(false),
    file: Flag.default(false),
  }),
]);

const Variables = z.record(Name, VariableEntry);

const PullPolicies = z.preprocess(
  (value) => (typeof value === 'string' ? [value] : value),
  z.array(z.enum(PULL_POLICIES)).min(1).max(3),
);

const ImageObject = z.strictObject({
  name: NonEmpty,
  entrypoint: z.array(Text).max(MAX_LIST).optional(),
  pull_policy: PullPolicies.optional(),
  docker: z
    .strictObject({ user: z.union([Text, z.number()]).transform(String).optional(), platform: Text.optional() })
    .optional(),
});
const Image = z.union([NonEmpty.transform((name) => ({ name })), ImageObject]);

const Service = z.union([
  NonEmpty.transform((name) => ({ name })),
  ImageObject.extend({
    alias: Text.optional(),
    command: z.array(Text).max(MAX_LIST).optional(),
    variables: Variables.optional(),
  }),
]);

const Paths = z.array(NonEmpty).max(MAX_LIST);
const When = z.enum(['on_success', 'on_failure', 'always']).default('on_success');
const OneOrMore = z.preprocess((value) => (typeof value === 'string' ? [value] : value), Paths);

const ReportPaths = z.union([
  OneOrMore,
  z
    .strictObject({ coverage_format: z.enum(['cobertura', 'jacoco']), path: NonEmpty })
    .transform((entry) => ({ ...entry })),
]);

const Artifacts = z.strictObject({
  paths: Paths.default([]),
  exclude: Paths.default([]),
  untracked: Flag.default(false),
  when: When,
  expire_in: Text.optional(),
  name: Text.optional(),
  reports: z.partialRecord(z.enum(REPORT_TYPES), ReportPaths).default({}),
});

const CacheKey = z.union([NonEmpty, z.number().transform(String)], {
  error: ({ input }) =>
    typeof input === 'object' && input !== null
      ? 'must be text; "files" and "prefix" are not supported: a cache is restored by its name, with no look into the sources'
      : 'must be text that is not empty',
});

const Cache = z.strictObject({
  key: CacheKey.default('default'),
  fallback_keys: z.array(NonEmpty).max(5).default([]),
  paths: Paths.default([]),
  untracked: Flag.default(false),
  policy: Text.default('pull-push'),
  when: When,
});

const ExitCode = z.number().int().min(0).max(255);
const ExitCodes = z.preprocess((value) => (typeof value === 'number' ? [value] : value), z.array(ExitCode).min(1));
const AllowFailure = z.union([Flag, z.strictObject({ exit_codes: ExitCodes })]);

/**
 * `retry:when` of GitLab that never comes about here: jobs that GitLab's scheduler, archive or API ended.
 * https://docs.gitlab.com/ci/yaml/#retrywhen
 */
const RETRY_NEVER = [
  'api_failure',
  'archived_failure',
  'data_integrity_failure',
  'forward_deployment_failure',
  'scheduler_failure',
  'stale_schedule',
  'unmet_prerequisites',
] as const;
/** GitLab's word for a job that was stuck or took too long; of these only the latter is known here. */
const STUCK_OR_TIMEOUT = 'stuck_or_timeout_failure';
const RETRY_WHEN = ['always', ...FAILURE_REASONS, STUCK_OR_TIMEOUT, ...RETRY_NEVER] as const;

function toRetryReasons(words: readonly (typeof RETRY_WHEN)[number][]): ('always' | FailureReason)[] {
  return words
    .map((word) => (word === STUCK_OR_TIMEOUT ? 'job_execution_timeout' : word))
    .filter((word) => !(RETRY_NEVER as readonly string[]).includes(word)) as ('always' | FailureReason)[];
}

const RetryCount = z.number().int().min(0).max(2);
const RetryWhen = z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(z.enum(RETRY_WHEN)));
const Retry = z.union([
  RetryCount.transform((max) => ({ max, when: ['always' as const], exitCodes: [] as number[] })),
  z
    .strictObject({ max: RetryCount.default(0), when: RetryWhen.optional(), exit_codes: ExitCodes.optional() })
    .transform(({ max, when, exit_codes: exitCodes = [] }) => ({
      max,
      when: when === undefined ? (exitCodes.length === 0 ? ['always' as const] : []) : toRetryReasons(when),
      exitCodes,
    })),
]);

const Source = z.strictObject({
  repo: NonEmpty,
  ref: NonEmpty.refine((ref) => !ref.startsWith('-'), { error: 'must not begin with "-"' }).optional(),
  sha: z
    .string()
    .regex(/^[0-9a-f]{8,64}$/, { error: 'must be 8 to 64 hexadecimal digits' })
    .optional(),
  depth: z.number().int().min(0).default(20),
  strategy: z.enum(['clone', 'fetch', 'none', 'empty']).default('clone'),
  submodules: z
    .union([Flag.transform((on) => (on ? 'normal' : 'none')), z.enum(['none', 'normal', 'recursive'])])
    .default('none'),
});

export const JobFileSchema = z.strictObject({
  name: NonEmpty.max(255).optional(),
  image: Image.optional(),
  services: z.array(Service).max(50).default([]),
  variables: Variables.default({}),
  before_script: Script.default([]),
  script: Script.refine((lines) => lines.length > 0, { error: 'must have at least one command' }),
  after_script: Script.default([]),
  timeout: Duration.optional(),
  artifacts: Artifacts.optional(),
  cache: z
    .preprocess((value) => (value === undefined || Array.isArray(value) ? value : [value]), z.array(Cache).max(4))
    .default([]),
  retry: Retry.default({ max: 0, when: [], exitCodes: [] }),
  interruptible: Flag.default(false),
  tags: z.array(NonEmpty).max(50).default([]),
  allow_failure: AllowFailure.default(false),
  pool: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, { error: 'must be 1 to 64 letters, digits, ".", "_" or "-"' })
    .optional(),
  source: Source.optional(),
});
export type JobFile = z.infer<typeof JobFileSchema>;

export type ParsedJob = { ok: true; job: JobFile } | { ok: false; problems: JobProblem[] };

/** Never throws, whatever it is given; all problems at once. */
export function parseJobObject(input: unknown): ParsedJob {
  if (nesting(input, 0) > MAX_NESTING) {
    return { ok: false, problems: [{ path: '(job)', message: 'is nested too deeply' }] };
  }
  const parsed = readAs(JobFileSchema, input, { error: inWords });
  if (parsed.success) return { ok: true, job: parsed.data };
  return { ok: false, problems: toProblems(parsed.error, keysAt) };
}

const MAX_NESTING = 24;

function nesting(value: unknown, depth: number): number {
  if (depth > MAX_NESTING || typeof value !== 'object' || value === null) return depth;
  let deepest = depth;
  for (const inner of Object.values(value)) deepest = Math.max(deepest, nesting(inner, depth + 1));
  return deepest;
}

function flattenScript(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value) || depth > MAX_SCRIPT_NESTING) return value;
  return value.flatMap((entry: unknown) => flattenScript(entry, depth + 1));
}

const KEYS: Record<string, readonly string[]> = {
  '': Object.keys(JobFileSchema.shape),
  image: Object.keys(ImageObject.shape),
  services: [...Object.keys(ImageObject.shape), 'alias', 'command', 'variables'],
  artifacts: Object.keys(Artifacts.shape),
  'artifacts.reports': REPORT_TYPES,
  cache: Object.keys(Cache.shape),
  retry: ['max', 'when', 'exit_codes'],
  allow_failure: ['exit_codes'],
  source: Object.keys(Source.shape),
  variables: ['value', 'description', 'expand', 'masked', 'file'],
};

function keysAt(path: PropertyKey[]): readonly string[] {
  const names = path.filter((segment) => typeof segment === 'string');
  return KEYS[names.join('.')] ?? KEYS[names[0] ?? ''] ?? [];
}
