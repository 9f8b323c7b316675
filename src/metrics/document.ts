import { z } from 'zod';
import { pointsOf } from './points.js';
import { AGGREGATES, type Point } from './values.js';

export { pointsOf };

const Value = z.tuple([z.number(), z.string()]);
/** A limit of the machine; null: none. */
const Limits = z.object({ cpus: z.number().nullable(), memoryBytes: z.number().nullable() });
export type MachineLimits = z.infer<typeof Limits>;
const Stage = z.object({ name: z.string(), startedAtMs: z.number(), finishedAtMs: z.number() });

/** Only what was measured. */
const Totals = z.object({
  cpuSeconds: z.number().optional(),
  cpuThrottledSeconds: z.number().optional(),
  networkReceiveBytes: z.number().optional(),
  networkTransmitBytes: z.number().optional(),
  diskReadBytes: z.number().optional(),
  diskWrittenBytes: z.number().optional(),
});
export type MachineTotals = z.infer<typeof Totals>;

/** What the store keeps of a job's metrics; `holdfast metrics --json` prints it. Times in `…Ms` are Unix milliseconds. */
export const MetricsDocument = z.object({
  version: z.literal(1),
  /** Workflow id. */
  job: z.string(),
  name: z.string(),
  project: z.string(),
  machine: z.string(),
  engine: z.string(),
  /** `no_samples`: Prometheus answered, and has nothing of this machine in the window. `refused`: it refused every query. */
  outcome: z.enum(['samples', 'no_samples', 'refused']),
  /** From the beginning of provisioning to the last scrape that covers the script's end; of an incomplete one to the last before it. */
  window: z.object({ startMs: z.number(), endMs: z.number() }),
  stepMs: z.number(),
  /** How often Prometheus scraped the machine, as far as its samples tell. */
  scrapeIntervalMs: z.number().optional(),
  selector: z.object({ name: z.string(), value: z.string() }),
  stages: z.array(Stage),
  /** As sent. */
  queries: z.record(z.string(), z.string()),
  series: z.array(z.object({ query: z.string(), labels: z.record(z.string(), z.string()), values: z.array(Value) })),
  /**
   * Points of our own counters' rates up to here were computed from the counters' values and the machine's start, since a rate
   * needs two samples; only with Holdfast's own metrics.
   */
  computedUntilMs: z.number().optional(),
  /** Queries that Prometheus refused or did not answer, each with its words; and those that cannot have found anything. */
  skipped: z.array(z.object({ query: z.string(), reason: z.string() })),
  /** How several series of a query become one in GitLab's artifact. */
  aggregate: z.enum(AGGREGATES),
  /** The same for single queries, where the configuration says so. */
  aggregates: z.record(z.string(), z.enum(AGGREGATES)).optional(),
  limits: Limits.optional(),
  /** What the machine used in all, from its counters; only with Holdfast's own metrics. */
  totals: Totals.optional(),
  /** Part of the machine's time for which there are samples, 0 to 1; only with Holdfast's own metrics. */
  coverage: z.number().optional(),
  /** Rules of `metrics.rules` that the job has met: evidence for a person, no verdict. */
  flags: z.array(z.object({ name: z.string(), value: z.number(), threshold: z.number() })).optional(),
  /** Steps whose container was killed by the kernel for its memory. */
  oomKills: z.number().optional(),
  collectedAtMs: z.number(),
  /** False: a later collection may bring more, and replaces it. Sums and flags may be among that. */
  complete: z.literal(false).optional(),
  /** Of an incomplete one: the scrape that covers the script's end, or answers that Prometheus owes. Older documents do not say. */
  missing: z.array(z.enum(['last_scrape', 'answers'])).optional(),
  /** Where GitLab's artifact went: to the coordinator, or no further than the store. */
  delivery: z.enum(['uploaded', 'stored']).optional(),
  /** Where the coordinator's copy ends: at the last scrape before the script's end. */
  uploadedUntilMs: z.number().optional(),
});
export type MetricsDocument = z.infer<typeof MetricsDocument>;

/** A scrape at either end may be missing; a coverage of less than this is worth telling. */
export const WHOLE = 0.9;

/**
 * GitLab's `metrics_referee.json` (gitlab-protocol section 9): per query one list of points. A query without samples is an empty
 * list; one that was refused is absent, since nothing is known.
 */
export function toReferee(document: MetricsDocument): Record<string, Point[]> {
  const skipped = new Set(document.skipped.map(({ query }) => query));
  return Object.fromEntries(
    Object.keys(document.queries)
      .filter((query) => !skipped.has(query))
      .map((query) => [query, pointsOf(document, query)]),
  );
}
