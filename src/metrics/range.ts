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

export interface Resolution {
  /** From one point of a graph to the next. */
  stepMs: number;
  /** What a rate is taken over, `{interval}`: the step, or two scrapes where that is more, for a rate needs two samples. */
  intervalMs: number;
}

/**
 * The smallest multiple of the configured step that keeps a long job within 1,000 points and is no shorter than a scrape. With a step
 * of one scrape and rates over two, each increase of a counter is in exactly one point.
 * @param scrapeIntervalMs undefined where it is not known
 */
export function chooseResolution(windowMs: number, stepMs: number, scrapeIntervalMs = 0): Resolution {
  const forPoints = Math.ceil(windowMs / stepMs / (MAX_POINTS_PER_JOB - 1));
  const chosenMs = stepMs * Math.max(1, forPoints, Math.ceil(scrapeIntervalMs / stepMs));
  const forRates = stepMs * Math.ceil((2 * scrapeIntervalMs) / stepMs);
  return { stepMs: chosenMs, intervalMs: Math.max(chosenMs, forRates) };
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
