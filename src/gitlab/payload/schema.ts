import { z } from 'zod';
import { readAs } from '../../job/read-as.js';

/**
 * GitLab's answer to a job request (gitlab-protocol section 2). Servers add fields with every release, so unknown ones are let
 * through unread; absent lists and objects are empty; what is read must be of its type and of a size that a job can have.
 */

/** Longer than any value that GitLab takes; a text of megabytes is an attack or a fault. */
const MAX_TEXT = 1024 * 1024;
const MAX_ENTRIES = 10_000;

/** Well-formed: half a surrogate pair can be in JSON, but in no file, address or name. */
const Text = z
  .string()
  .overwrite((text) => text.toWellFormed())
  .max(MAX_TEXT, { error: `must not be longer than ${String(MAX_TEXT)} characters` })
  .refine((text) => !text.includes('\0'), { error: 'must not hold null bytes' });

/** Names and addresses: one line. */
const Line = Text.max(4096, { error: 'must not be longer than 4096 characters' });

function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

function list<T extends z.ZodType>(schema: T) {
  return z
    .array(z.unknown())
    .max(MAX_ENTRIES)
    .nullish()
    .transform((values, context) => readEach(schema, values ?? [], context));
}

/** Only up to the first wrong entry: ten thousand lists of ten thousand wrong entries would be problems for gigabytes. */
function readEach<T extends z.ZodType>(schema: T, values: unknown[], context: z.RefinementCtx): z.output<T>[] {
  const entries: z.output<T>[] = [];
  for (const [index, value] of values.entries()) {
    const read = readAs(schema, value);
    if (!read.success) {
      for (const { path, message } of read.error.issues) {
        context.addIssue({ code: 'custom', path: [index, ...path], message });
      }
      return z.NEVER;
    }
    entries.push(read.data);
  }
  return entries;
}

const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);

/** Go writes what has no value as `""`. */
const empty = Line.nullish().transform((value) => value ?? '');

/** Goes into a header: no white space, no control characters. */
const TOKEN = /^[\x21-\x7e]*$/;
const Token = Line.regex(TOKEN, { error: 'must be a token' });

/** Of the GitLab of next year perhaps; what it then means is decided where it is used. */
const When = empty.transform((value) => (value === '' ? 'on_success' : value));

/** GitLab's own maximum is a month. */
const MAX_TIMEOUT_SECONDS = 366 * 24 * 3600;

const Variable = z.object({
  key: Line,
  value: Text.nullish().transform((value) => value ?? ''),
  public: flag,
  masked: flag,
  raw: flag,
  file: flag,
});

const DockerOptions = z.strictObject({
  platform: empty,
  user: z
    .union([Line, z.number().int()])
    .nullish()
    .transform((value) => (value == null ? '' : String(value))),
});

const Image = z.object({
  name: empty,
  alias: empty,
  command: list(Text),
  entrypoint: list(Text),
  variables: list(Variable),
  pull_policy: list(Line),
  executor_opts: z
    .record(z.string(), z.unknown())
    .nullish()
    .transform((value) => value ?? {}),
});
export type PayloadImage = z.infer<typeof Image>;

/** The options of an image that are ours to read; those for other executors are not. */
export function readDockerOptions(options: Record<string, unknown>): z.infer<typeof DockerOptions> | undefined {
  const read = readAs(DockerOptions, options['docker'] ?? {});
  return read.success ? read.data : undefined;
}

const JobInfo = z.object({
  name: empty,
  stage: empty,
  project_id: z.number().int().nullish(),
  project_name: empty,
  project_full_path: empty,
});

const GitInfo = z.object({
  repo_url: empty,
  repo_object_format: empty,
  ref: empty,
  sha: Line.regex(/^([0-9a-fA-F]{8,64})?$/, { error: 'must be the name of a commit' })
    .nullish()
    .transform((value) => value ?? ''),
  ref_type: empty,
  refspecs: list(Line),
  depth: z
    .number()
    .int()
    .min(0)
    .nullish()
    .transform((value) => value ?? 0),
});

export const JobPayloadSchema = z.object({
  id: z.number().int().positive().max(Number.MAX_SAFE_INTEGER),
  token: Token.min(1, { error: 'must not be empty' }),
  allow_git_fetch: flag,
  job_info: JobInfo.nullish().transform((value) => value ?? JobInfo.parse({})),
  git_info: optional(GitInfo),
  runner_info: z
    .object({ timeout: z.number().nullish() })
    .nullish()
    .transform((value) => ({ timeout: Math.min(Math.ceil(value?.timeout ?? 0), MAX_TIMEOUT_SECONDS) })),
  inputs: list(z.unknown()),
  variables: list(Variable),
  steps: list(
    z.object({ name: Line.regex(/^[A-Za-z0-9_-]{1,100}$/, { error: 'must be a step name' }), script: list(Text) }),
  ).refine((steps) => new Set(steps.map(({ name }) => name)).size === steps.length, {
    error: 'must not name a step twice',
  }),
  image: optional(Image),
  services: list(Image),
  artifacts: list(
    z.object({
      name: empty,
      untracked: flag,
      paths: list(Line),
      exclude: list(Line),
      when: When,
      artifact_type: empty,
      artifact_format: empty,
      expire_in: empty,
    }),
  ),
  cache: list(
    z.object({
      key: empty,
      untracked: flag,
      policy: empty,
      paths: list(Line),
      when: When,
      fallback_keys: list(Line),
    }),
  ),
  credentials: list(z.object({ type: empty, url: empty, username: empty, password: empty })),
  dependencies: list(
    z.object({
      id: z.number().int().positive(),
      token: empty.refine((token) => TOKEN.test(token), { error: 'must be a token' }),
      name: empty,
      artifacts_file: z
        .object({ filename: empty, size: z.number().min(0).nullish() })
        .nullish()
        .transform((value) => ({ filename: value?.filename ?? '', size: value?.size ?? 0 })),
    }),
  ),
  features: z
    .object({
      trace_sections: z.boolean().nullish(),
      token_mask_prefixes: list(Line),
      failure_reasons: list(Line),
    })
    .nullish()
    .transform((value) => ({
      trace_sections: value?.trace_sections ?? false,
      token_mask_prefixes: value?.token_mask_prefixes ?? [],
      failure_reasons: value?.failure_reasons ?? [],
    })),
  secrets: z
    .record(z.string(), z.unknown())
    .nullish()
    .transform((value) => Object.keys(value ?? {})),
  hooks: list(z.object({ name: Line, script: list(Text) })),
  run: z.unknown().optional(),
});
export type JobPayload = z.infer<typeof JobPayloadSchema>;
