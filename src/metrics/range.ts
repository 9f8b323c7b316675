/** Points of a range query, in Unix milliseconds: `startMs`, `startMs + stepMs`, … up to `endMs` at most. */
export interface QueryRange {
  startMs: number;
  endMs: number;
  stepMs: number;
}

/** A graph is no better for more points than this. */
export const MAX_POINTS_PER_JOB = 1000;
/** Prometheus answers 400 to a range query of more (`maximum resolution of 11,000 points per timeseries`). */
export const MAX_POINTS_PER_QUERY = 11_000;

/**
 * The smallest multiple of the configured step that keeps a long job within 1,000 points and spans two scrapes: a rate over one
 * step needs two samples in it, or the graph is empty.
 * @param scrapeIntervalMs undefined where it is not known
 */
export function chooseStep(windowMs: number, stepMs: number, scrapeIntervalMs?: number): number {
  const forPoints = Math.ceil(windowMs / stepMs / (MAX_POINTS_PER_JOB - 1));
  const forRates = Math.ceil((2 * (scrapeIntervalMs ?? 0)) / stepMs);
  return stepMs * Math.max(1, forPoints, forRates);
}

/**
 * The points of a window, counted back from its end: each one stands for the step before it, so the last moment of the job is
 * in the graph whatever its length, and nothing after it.
 */
export function alignToEnd(window: { startMs: number; endMs: number }, stepMs: number): QueryRange {
  const steps = Math.max(0, Math.floor((window.endMs - window.startMs) / stepMs));
  return { startMs: window.endMs - steps * stepMs, endMs: window.endMs, stepMs };
}

/** One range as several that Prometheus accepts: all points, in order, none twice. */
export function splitRange(range: QueryRange, maxPoints = MAX_POINTS_PER_QUERY): QueryRange[] {
  const parts: QueryRange[] = [];
  const { stepMs } = range;
  for (let startMs = range.startMs; startMs <= range.endMs; startMs += maxPoints * stepMs) {
    parts.push({ startMs, endMs: Math.min(startMs + (maxPoints - 1) * stepMs, range.endMs), stepMs });
  }
  return parts;
}
