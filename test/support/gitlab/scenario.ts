import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

/** A scenario as it is written (test/gitlab/README.md). Strict: what is misspelt is an error and not an expectation that nobody checks. */

const Endpoint = z.enum(['request', 'trace', 'update', 'upload', 'download']);

const FaultAction = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('status'), status: z.int(), headers: z.record(z.string(), z.string()).optional() }),
  z.strictObject({ kind: z.literal('reset') }),
  z.strictObject({ kind: z.literal('loseAnswer') }),
  z.strictObject({ kind: z.literal('halfAnswer') }),
  z.strictObject({ kind: z.literal('slow'), ms: z.int() }),
  z.strictObject({ kind: z.literal('hang'), ms: z.int() }),
]);

const Fault = z.strictObject({
  endpoint: Endpoint,
  action: FaultAction,
  times: z.int().min(1).optional(),
  after: z.int().min(1).optional(),
  /** Only final reports, or only those that are not. */
  final: z.boolean().optional(),
  artifactType: z.string().optional(),
  /** The job may end before all of them came to pass. */
  mayRemain: z.boolean().default(false),
});

const Moment = z.union([
  z.strictObject({ file: z.string() }).describe('a script has made its mark (`@mark NAME`)'),
  z.strictObject({ trace: z.string() }).describe('GitLab has this text in the log'),
  z.strictObject({ artifact: z.string() }).describe('GitLab has an artifact of this type'),
  z.strictObject({ status: z.string() }).describe('the job has this status at GitLab'),
  z.strictObject({ reports: z.int() }).describe('so many final reports have come'),
  z.strictObject({ keepAlives: z.int() }).describe('so many signs of life have come'),
  z.strictObject({ spooled: z.boolean() }).describe('the worker holds a job that no workflow has yet'),
  z.strictObject({ held: z.literal(true) }).describe('GitLab holds a request of the poller: the next job goes there'),
  z.strictObject({ metrics: z.string() }).describe('what holdfast show says of the metrics'),
  z.strictObject({ samples: z.int() }).describe('Prometheus has so many samples of the machine'),
  z.strictObject({ step: z.string() }).describe('the workflow has come to this step'),
]);
export type Moment = z.infer<typeof Moment>;

const Action = z.union([
  z.strictObject({ wait: Moment }),
  z.strictObject({ touch: z.string() }).describe('lets a script go on that waits by `@await NAME`'),
  z.strictObject({ cancel: z.literal(true) }).describe('somebody presses Cancel at GitLab'),
  z.strictObject({ end: z.enum(['failed', 'canceled', 'success']) }).describe('GitLab ends the job by itself'),
  z
    .strictObject({ outage: z.union([z.number(), Moment]) })
    .describe('GitLab is away: for so many seconds, or until then'),
  z.strictObject({ fault: Fault }),
  z.strictObject({ longPoll: z.boolean() }),
  z.strictObject({ worker: z.enum(['kill', 'term', 'start']) }).describe('only in scenarios that are `alone`'),
  z.strictObject({ temporal: z.enum(['freeze', 'thaw']) }).describe('only in scenarios that are `alone`'),
  z.strictObject({ prometheus: z.enum(['stop', 'start']) }).describe('only in scenarios that are `alone`'),
]);
export type Action = z.infer<typeof Action>;

const Texts = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (typeof value === 'string' ? [value] : value));

const TraceExpectation = z.strictObject({
  has: Texts.optional(),
  hasNot: Texts.optional(),
  /** Regular expressions. */
  matches: Texts.optional(),
  /** One after another. */
  inOrder: z.array(z.string()).optional(),
  /** So often, no more and no less. */
  counts: z.record(z.string(), z.int()).optional(),
  minBytes: z.int().optional(),
  maxBytes: z.int().optional(),
});

const ArtifactExpectation = z.strictObject({
  type: z.string(),
  format: z.string().optional(),
  filename: z.string().optional(),
  expireIn: z.string().nullable().optional(),
  /** Members of a ZIP and their content; null: whatever it is. Exactly these. */
  files: z.record(z.string(), z.string().nullable()).optional(),
  /** Of a ZIP: these are among them. */
  has: Texts.optional(),
  /** Of what is gzipped, or raw. */
  content: z.string().optional(),
  minBytes: z.int().optional(),
});
export type ArtifactExpectation = z.infer<typeof ArtifactExpectation>;

const Expectation = z.strictObject({
  /** At GitLab, in the end. */
  status: z.enum(['pending', 'running', 'canceling', 'success', 'failed', 'canceled']).default('success'),
  /** Of the report that decided; null: none was given. */
  failureReason: z.string().nullable().optional(),
  exitCode: z.int().nullable().optional(),
  trace: TraceExpectation.optional(),
  /** All of them but the metrics, in the order of their coming. */
  artifacts: z.array(ArtifactExpectation).optional(),
  /** What became of the metrics: GitLab has them, or the store alone. */
  metrics: z.enum(['uploaded', 'stored', 'failed', 'none', 'pending']).optional(),
  minKeepAlives: z.int().optional(),
  maxKeepAlives: z.int().optional(),
  minPatches: z.int().optional(),
  maxPatches: z.int().optional(),
  maxPatchBytes: z.int().optional(),
  debugTrace: z.boolean().optional(),
  reports: z.int().optional(),
  handedOver: z.int().optional(),
  /** How often scripts have made these marks. */
  marks: z.record(z.string(), z.int()).optional(),
  /** `none`: there never was one. */
  workflow: z.enum(['closed', 'none', 'ignored']).default('closed'),
  /** What Holdfast itself says that the job came to; default: as GitLab. */
  state: z.enum(['success', 'failed', 'canceled']).optional(),
});
export type Expectation = z.infer<typeof Expectation>;

const Dependency = z.strictObject({
  name: z.string(),
  files: z.record(z.string(), z.string()).default({}),
  /** What their archive is; `text`: none, but the content of the first of the files. */
  archive: z.enum(['zip', 'tar.gz', 'text']).default('zip'),
  redirect: z.union([z.boolean(), z.int()]).optional(),
  status: z.int().optional(),
  /** The payload names another token than the archive's. */
  wrongToken: z.boolean().default(false),
});
export type Dependency = z.infer<typeof Dependency>;

const JobOptions = z.strictObject({
  pendingReports: z.int().optional(),
  forbidden: z.array(z.string()).optional(),
  updateInterval: z.int().optional(),
  handOver: z.int().optional(),
  traceLimitBytes: z.int().optional(),
  artifactLimitBytes: z.int().optional(),
  rawBody: z.string().optional(),
  lagging: z.strictObject({ status: z.string(), times: z.int() }).optional(),
  redirectUploads: z
    .strictObject({ status: z.union([z.literal(307), z.literal(308)]), to: z.enum(['here', 'elsewhere']) })
    .optional(),
});

const Variables = z.union([
  z.array(z.record(z.string(), z.unknown())),
  z.record(z.string(), z.string()).transform((map) => Object.entries(map).map(([key, value]) => ({ key, value }))),
]);

const Play = z.strictObject({
  /** Fields of the payload that replace the example's (test/support/coordinator/payload.ts). */
  job: z.looseObject({ variables: Variables.optional(), script: z.array(z.string()).optional() }).default({}),
  options: JobOptions.default({}),
  dependencies: z.array(Dependency).default([]),
  /** Files of a repository with one commit, which the job's sources are then. */
  repository: z.record(z.string(), z.string()).optional(),
  faults: z.array(Fault).default([]),
  /** Before GitLab has the job. */
  before: z.array(Action).default([]),
  /** From then on, one after another. */
  actions: z.array(Action).default([]),
  expect: Expectation.prefault({}),
});
export type Play = z.infer<typeof Play>;

const Scenario = z.union([
  z
    .strictObject({
      ...Play.shape,
      name: z.string().min(10),
      entry: z.string().optional(),
      alone: z.boolean().optional(),
    })
    .transform(({ name, entry, alone, ...play }) => ({ name, entry, alone, plays: [play] })),
  z.strictObject({
    name: z.string().min(10),
    entry: z.string().optional(),
    alone: z.boolean().optional(),
    /** Jobs, one after another. */
    plays: z.array(Play).min(1),
  }),
]);

export interface Scenario {
  area: string;
  file: string;
  /** A sentence. */
  name: string;
  /** Which kind of `gitlab:` entry takes the job (lanes.ts). */
  entry: string;
  /** It breaks what others need: played when no other is. */
  alone: boolean;
  plays: Play[];
}

/** @throws Error that names the file and what is wrong in it */
export function readScenario(text: string, file: string, area: string): Scenario {
  const read = (/^plays:/m.test(text) ? Scenario.options[1] : Scenario.options[0]).safeParse(parse(text));
  if (!read.success) throw new Error(`${file}: ${z.prettifyError(read.error)}`);
  const { name, entry = 'usual', alone = false, plays } = read.data;
  return { area, file, name, entry, alone, plays };
}

/** All scenarios below a directory, one YAML file each, by area and name. */
export function loadScenarios(directory: string): Scenario[] {
  const areas = readdirSync(directory).filter((entry) => statSync(join(directory, entry)).isDirectory());
  return areas.sort().flatMap((area) =>
    readdirSync(join(directory, area))
      .filter((name) => name.endsWith('.yaml'))
      .sort()
      .map((name) => {
        const file = join(directory, area, name);
        return readScenario(readFileSync(file, 'utf8'), `${area}/${basename(name)}`, area);
      }),
  );
}
