import { neverBefore, type Clock } from './clock.js';
import { LATEST_SCRAPE_MS } from './latest-scrape.js';
import type { PrometheusClient } from './prometheus-client.js';
import { fillQuery, toMatcher, toPromDuration, type MetricQueries } from './queries.js';

export interface ScrapeWait {
  selector: { name: string; value: string };
  queries: MetricQueries;
  /** `endMs`: when the script ended. */
  window: { startMs: number; endMs: number };
  /** The most to wait after the script's end; a scrape that is known to come later is waited for, too, up to two minutes. */
  scrapeWaitMs: number;
  /** Somebody waits for the answer: not for a scrape that is known to come later. */
  hurried?: boolean;
}

/** What Prometheus' samples tell of a machine at the end of its job. */
export interface LastScrape {
  /** End of the window: the first scrape after the script's end; where none came in time, the script's end. */
  endMs: number;
  scrapeIntervalMs?: number;
  /** There are samples of the machine from about then; false also where nobody could tell. */
  isSeen: boolean;
  /** The machine was seen, and no scrape that covers the script's end came in time: it may be there later. */
  mayStillCome: boolean;
}

/** A metric of each exporter that we know: there from a machine's first scrape to its last, one series or few. */
const PROBES: Record<string, string> = {
  holdfast_machine_: 'holdfast_machine_cpu_seconds_total',
  container_: 'container_memory_working_set_bytes',
  node_: 'node_memory_MemTotal_bytes',
};
/** How far back to look for the scrape interval: two of Prometheus' default minutes before the end, and as much after it. */
const LOOK_BACK_MS = 240_000;
const FIRST_LOOK_MS = 250;
const MOST_BETWEEN_LOOKS_MS = 2000;
/** The same where the next scrape's time is known. */
const MOST_UNTIL_SCRAPE_MS = 5000;
/** A scrape's jitter, and its samples on their way. */
const SCRAPE_SLACK_MS = 1000;
/** From the time of a scrape to its samples being there to be asked for. */
const SCRAPE_TAKES_MS = 150;

/**
 * A sample counts for the end of a script only if it was taken after it, so the last scrape has to come first. It is
 * looked for in a metric of the exporters that we know, else in one of the queries. A job that ended long ago
 * (replay) is not waited for: its samples are looked up at their time.
 */
export async function waitForLastScrape(
  { prometheus, clock, signal }: { prometheus: PrometheusClient; clock: Clock; signal: AbortSignal },
  wait: ScrapeWait,
): Promise<LastScrape> {
  const { endMs } = wait.window;
  const now = neverBefore(clock, endMs);
  const probe = probeFor(wait);
  let waitUntilMs = latestScrapeMs(wait, 0);
  let knownIntervalMs: number | undefined;
  for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(lookMs * 2, MOST_BETWEEN_LOOKS_MS)) {
    const nowMs = now();
    // Further than is waited for: after an outage of Prometheus the scrape has come late.
    const timesMs = await scrapeTimes(
      prometheus,
      { ...wait, probe },
      Math.min(nowMs, endMs + LATEST_SCRAPE_MS),
      signal,
    );
    const scrapeIntervalMs = intervalOf(timesMs) ?? knownIntervalMs;
    knownIntervalMs = scrapeIntervalMs;
    const found = { isSeen: timesMs.length > 0, ...(scrapeIntervalMs === undefined ? {} : { scrapeIntervalMs }) };
    const covering = timesMs.find((timeMs) => timeMs >= endMs);
    // A machine's only sample makes no rate: of a job shorter than the scrape interval the second one tells what it used.
    const second = covering === timesMs[0] ? timesMs[1] : covering;
    if (second !== undefined) return { endMs: second, ...found, mayStillCome: false };
    // Of a rhythm that nobody knows yet the next scrape may be the latest possible.
    waitUntilMs = Math.max(waitUntilMs, latestScrapeMs(wait, scrapeIntervalMs ?? LATEST_SCRAPE_MS));
    const isWorthWaiting = found.isSeen && wait.hurried !== true;
    const leftMs = (isWorthWaiting ? waitUntilMs : latestScrapeMs(wait, 0)) - nowMs;
    if (leftMs <= 0)
      return {
        endMs: covering ?? endMs,
        ...found,
        mayStillCome: found.isSeen && covering === undefined && nowMs < endMs + LATEST_SCRAPE_MS,
      };
    const sleepMs = untilNextScrape(timesMs.at(-1), scrapeIntervalMs, nowMs) ?? lookMs;
    await clock.sleep(Math.min(sleepMs, leftMs), signal);
  }
}

function latestScrapeMs({ window, scrapeWaitMs }: ScrapeWait, intervalMs: number): number {
  const mostMs = Math.min(intervalMs + SCRAPE_SLACK_MS, LATEST_SCRAPE_MS);
  return window.endMs + Math.max(scrapeWaitMs, intervalMs === 0 ? 0 : mostMs);
}

/**
 * Where the samples end that are there now, without a wait: the last scrape, and the script's end where none is known.
 */
export async function findLatestScrape(
  { prometheus, clock, signal }: { prometheus: PrometheusClient; clock: Clock; signal: AbortSignal },
  wait: Omit<ScrapeWait, 'scrapeWaitMs'>,
): Promise<LastScrape> {
  const { endMs } = wait.window;
  const probe = probeFor(wait);
  const timesMs = await scrapeTimes(prometheus, { ...wait, probe }, Math.min(clock.now(), endMs), signal);
  const scrapeIntervalMs = intervalOf(timesMs);
  return {
    endMs: timesMs.at(-1) ?? endMs,
    isSeen: timesMs.length > 0,
    mayStillCome: true,
    ...(scrapeIntervalMs === undefined ? {} : { scrapeIntervalMs }),
  };
}

/** A metric in a query, with its matchers, of which one is the machine's. */
const SELECTED = /[a-zA-Z_:][\w:]*\{[^{}]*\{selector\}[^{}]*\}/;

/** What to look for a machine's scrapes in: of a known exporter its steadiest metric, else the first of the queries. */
function probeFor({ queries, selector }: Pick<ScrapeWait, 'queries' | 'selector'>): string {
  const all = Object.values(queries);
  const prefix = Object.keys(PROBES).find((start) => all.some((query) => new RegExp(`\\b${start}`).test(query)));
  const metric = prefix === undefined ? undefined : PROBES[prefix];
  if (metric !== undefined) return `${metric}{${toMatcher(selector)}}`;
  return all.map((query) => selectedIn(query, selector)).find((own) => own !== undefined) ?? `{${toMatcher(selector)}}`;
}

/** @returns the first metric that a query asks for of the machine, e.g. `x{mode="user",machine="hf-1"}` */
export function selectedIn(template: string, selector: ScrapeWait['selector']): string | undefined {
  const own = SELECTED.exec(template)?.[0];
  return own === undefined ? undefined : fillQuery(own, selector, 0);
}

/** The times of the machine's raw samples before a moment, ascending. With several scrapers, those of the busiest. */
async function scrapeTimes(
  prometheus: PrometheusClient,
  { window, probe }: Pick<ScrapeWait, 'window'> & { probe: string },
  atMs: number,
  signal: AbortSignal,
): Promise<number[]> {
  const backMs = Math.ceil(Math.min(atMs - window.startMs + LOOK_BACK_MS, LOOK_BACK_MS) / 1000) * 1000;
  const found = await prometheus.query(`${probe}[${toPromDuration(backMs)}]`, signal, atMs);
  return busiest(found.map(({ values }) => values.map(([seconds]) => Math.round(seconds * 1000))));
}

/** Of several series the one with the most samples. */
export function busiest(series: readonly number[][]): number[] {
  return series.reduce((most, candidate) => (candidate.length > most.length ? candidate : most), []);
}

/** The median distance, to 50 ms: Prometheus keeps to its rhythm, and a missed scrape must not double it. */
export function intervalOf(timesMs: readonly number[]): number | undefined {
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
  return untilMs > 0 ? Math.min(untilMs, MOST_UNTIL_SCRAPE_MS) : undefined;
}
