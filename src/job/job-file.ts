import { z } from 'zod';
import type { JobProblem } from '../contracts/job-input.js';
import { PULL_POLICIES } from '../contracts/job-spec.js';
import { FAILURE_REASONS } from '../contracts/names.js';
import { REPORT_TYPES } from './artifact-types.js';
import { parseDuration } from './durations.js';
import { toProblems } from './problems.js';

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
    expand: z.boolean().default(true),
    /** Ours: a job file has no project settings in which to mask a variable. */
    masked: z.boolean().default(false),
    file: z.boolean().default(false),
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
  untracked: z.boolean().default(false),
  when: When,
  expire_in: Text.optional(),
  name: Text.optional(),
  reports: z.partialRecord(z.enum(REPORT_TYPES), ReportPaths).default({}),
});

const Cache = z.strictObject({
  key: NonEmpty.default('default'),
  fallback_keys: z.array(NonEmpty).max(5).default([]),
  paths: Paths.default([]),
  untracked: z.boolean().default(false),
  policy: Text.default('pull-push'),
  when: When,
});

const RETRY_WHEN = ['always', ...FAILURE_REASONS] as const;
const RetryCount = z.number().int().min(0).max(2);
const Retry = z.union([
  RetryCount.transform((max) => ({ max, when: [] as (typeof RETRY_WHEN)[number][] })),
  z.strictObject({
    max: RetryCount.default(0),
    when: z
      .preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(z.enum(RETRY_WHEN)))
      .default([]),
  }),
]);

const ExitCode = z.number().int().min(0).max(255);
const AllowFailure = z.union([
  z.boolean(),
  z.strictObject({
    exit_codes: z.preprocess((value) => (typeof value === 'number' ? [value] : value), z.array(ExitCode).min(1)),
  }),
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
    .union([z.boolean().transform((on) => (on ? 'normal' : 'none')), z.enum(['none', 'normal', 'recursive'])])
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
  retry: Retry.default({ max: 0, when: [] }),
  interruptible: z.boolean().default(false),
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
  const parsed = JobFileSchema.safeParse(input);
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
  retry: ['max', 'when'],
  allow_failure: ['exit_codes'],
  source: Object.keys(Source.shape),
  variables: ['value', 'description', 'expand', 'masked', 'file'],
};

function keysAt(path: PropertyKey[]): readonly string[] {
  const names = path.filter((segment) => typeof segment === 'string');
  return KEYS[names.join('.')] ?? KEYS[names[0] ?? ''] ?? [];
}
