import { z } from 'zod';

const Value = z.tuple([z.number(), z.string()]);
const Stage = z.object({ name: z.string(), startedAtMs: z.number(), finishedAtMs: z.number() });

/** What the store keeps of a job's metrics; `holdfast metrics --json` prints it. */
export const MetricsDocument = z.object({
  version: z.literal(1),
  job: z.string(),
  name: z.string(),
  project: z.string(),
  machine: z.string(),
  engine: z.string(),
  outcome: z.enum(['samples', 'no_samples']),
  /** Unix milliseconds. */
  window: z.object({ startMs: z.number(), endMs: z.number() }),
  stepMs: z.number(),
  selector: z.object({ name: z.string(), value: z.string() }),
  stages: z.array(Stage),
  /** As sent. */
  queries: z.record(z.string(), z.string()),
  series: z.array(z.object({ query: z.string(), labels: z.record(z.string(), z.string()), values: z.array(Value) })),
  skipped: z.array(z.object({ query: z.string(), reason: z.string() })),
  /** How several series of a query become one in GitLab's artifact. */
  aggregate: z.enum(['sum', 'max', 'avg']),
  collectedAtMs: z.number(),
  /** Where GitLab's artifact went: to the coordinator, or no further than the store. */
  delivery: z.enum(['uploaded', 'stored']).optional(),
});
export type MetricsDocument = z.infer<typeof MetricsDocument>;

/** GitLab's `metrics_referee.json`: per query one list of points, several series made one. */
export function toReferee(document: MetricsDocument): Record<string, [number, string][]> {
  return Object.fromEntries(
    Object.keys(document.queries)
      .filter((query) => !document.skipped.some((skipped) => skipped.query === query))
      .map((query) => [
        query,
        aggregate(
          document.series.filter((series) => series.query === query).map((series) => series.values),
          document.aggregate,
        ),
      ]),
  );
}

function aggregate(series: [number, string][][], how: MetricsDocument['aggregate']): [number, string][] {
  const [only] = series;
  if (series.length <= 1) return only ?? [];
  const byTime = new Map<number, number[]>();
  for (const [time, value] of series.flat()) byTime.set(time, [...(byTime.get(time) ?? []), Number(value)]);
  return [...byTime]
    .sort(([a], [b]) => a - b)
    .map(([time, values]) => {
      const sum = values.reduce((total, value) => total + value, 0);
      const result = how === 'max' ? Math.max(...values) : how === 'avg' ? sum / values.length : sum;
      return [time, String(result)];
    });
}
