import { neverBefore, type Clock } from './clock.js';
import type { PrometheusClient } from './prometheus-client.js';
import { toMatcher, toPromDuration, type MetricQueries } from './queries.js';

export interface ScrapeWait {
  selector: { name: string; value: string };
  queries: MetricQueries;
  /** `endMs`: when the script ended. */
  window: { startMs: number; endMs: number };
  /** The most to wait after the script's end. */
  scrapeWaitMs: number;
}

/** What Prometheus' samples tell of a machine at the end of its job. */
export interface LastScrape {
  /** End of the window: the first scrape after the script's end; where none came in time, the script's end. */
  endMs: number;
  scrapeIntervalMs?: number;
  /** There are samples of the machine from about then; false also where nobody could tell. */
  isSeen: boolean;
}

/** A metric of each exporter that we know: there from a machine's first scrape to its last, one series or few. */
const PROBES: Record<string, string> = {
  holdfast_machine_: 'holdfast_machine_cpu_seconds_total',
  container_: 'container_memory_working_set_bytes',
  node_: 'node_memory_MemTotal_bytes',
};
/** How far back to look for the scrape interval: two of Prometheus' default minutes, and some slack. */
const LOOK_BACK_MS = 150_000;
const FIRST_LOOK_MS = 250;
const MOST_BETWEEN_LOOKS_MS = 2000;
/** From the time of a scrape to its samples being there to be asked for. */
const SCRAPE_TAKES_MS = 150;

/**
 * A sample counts for the end of a script only if it was taken after it, so the last scrape has to come first. It is
 * looked for in a metric of the exporters that we know; with queries of others the wait is the time itself. A job that ended long ago
 * (replay) is not waited for: its samples are looked up at their time.
 */
export async function waitForLastScrape(
  { prometheus, clock, signal }: { prometheus: PrometheusClient; clock: Clock; signal: AbortSignal },
  wait: ScrapeWait,
): Promise<LastScrape> {
  const { endMs } = wait.window;
  const deadlineMs = endMs + wait.scrapeWaitMs;
  const now = neverBefore(clock, endMs);
  const probe = probeFor(wait.queries);
  if (probe === undefined) {
    const leftMs = deadlineMs - now();
    if (leftMs > 0) await clock.sleep(leftMs, signal);
    return { endMs, isSeen: false };
  }
  for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(lookMs * 2, MOST_BETWEEN_LOOKS_MS)) {
    const nowMs = now();
    const timesMs = await scrapeTimes(prometheus, { ...wait, probe }, Math.min(nowMs, deadlineMs), signal);
    const scrapeIntervalMs = intervalOf(timesMs);
    const found = { isSeen: timesMs.length > 0, ...(scrapeIntervalMs === undefined ? {} : { scrapeIntervalMs }) };
    const covering = timesMs.find((timeMs) => timeMs >= endMs);
    // A machine's only sample makes no rate: of a job shorter than the scrape interval the second one tells what it used.
    const second = covering === timesMs[0] ? timesMs[1] : covering;
    if (second !== undefined) return { endMs: second, ...found };
    if (nowMs >= deadlineMs) return { endMs: covering ?? endMs, ...found };
    const sleepMs = untilNextScrape(timesMs.at(-1), scrapeIntervalMs, nowMs) ?? lookMs;
    await clock.sleep(Math.min(sleepMs, deadlineMs - nowMs), signal);
  }
}

/**
 * Where the samples end that are there now, without a wait: the last scrape, and the script's end where none is known.
 */
export async function findLatestScrape(
  { prometheus, clock, signal }: { prometheus: PrometheusClient; clock: Clock; signal: AbortSignal },
  wait: Omit<ScrapeWait, 'scrapeWaitMs'>,
): Promise<LastScrape> {
  const { endMs } = wait.window;
  const probe = probeFor(wait.queries);
  if (probe === undefined) return { endMs, isSeen: false };
  const timesMs = await scrapeTimes(prometheus, { ...wait, probe }, Math.min(clock.now(), endMs), signal);
  const scrapeIntervalMs = intervalOf(timesMs);
  return {
    endMs: timesMs.at(-1) ?? endMs,
    isSeen: timesMs.length > 0,
    ...(scrapeIntervalMs === undefined ? {} : { scrapeIntervalMs }),
  };
}

function probeFor(queries: MetricQueries): string | undefined {
  const all = Object.values(queries);
  const prefix = Object.keys(PROBES).find((start) => all.some((query) => new RegExp(`\\b${start}`).test(query)));
  return prefix === undefined ? undefined : PROBES[prefix];
}

/** The times of the machine's raw samples before a moment, ascending. With several scrapers, those of the busiest. */
async function scrapeTimes(
  prometheus: PrometheusClient,
  { selector, window, probe }: Omit<ScrapeWait, 'scrapeWaitMs'> & { probe: string },
  atMs: number,
  signal: AbortSignal,
): Promise<number[]> {
  const backMs = Math.ceil(Math.min(atMs - window.startMs + LOOK_BACK_MS, LOOK_BACK_MS) / 1000) * 1000;
  const found = await prometheus.query(`${probe}{${toMatcher(selector)}}[${toPromDuration(backMs)}]`, signal, atMs);
  const times = found.map(({ values }) => values.map(([seconds]) => Math.round(seconds * 1000)));
  return times.reduce((most, candidate) => (candidate.length > most.length ? candidate : most), []);
}

/** The median distance, to 50 ms: Prometheus keeps to its rhythm, and a missed scrape must not double it. */
function intervalOf(timesMs: readonly number[]): number | undefined {
  const gaps = timesMs.slice(1).map((timeMs, index) => timeMs - (timesMs[index] ?? timeMs));
  const median = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)];
  return median === undefined ? undefined : Math.max(50, Math.round(median / 50) * 50);
}

function untilNextScrape(
  lastMs: number | undefined,
  intervalMs: number | undefined,
  nowMs: number,
): number | undefined {
  if (lastMs === undefined || intervalMs === undefined) return undefined;
  const untilMs = lastMs + intervalMs + SCRAPE_TAKES_MS - nowMs;
  return untilMs > 0 ? Math.min(untilMs, MOST_BETWEEN_LOOKS_MS) : undefined;
}
