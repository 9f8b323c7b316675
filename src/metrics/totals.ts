import type { MachineTotals } from './document.js';
import { busiest, intervalOf } from './last-scrape.js';
import type { PrometheusClient, Series } from './prometheus-client.js';
import { toMatcher, toPromDuration } from './queries.js';

/** Enough to see every restart of a counter in it; a long job's samples are thinned out to this many. */
const MOST_SAMPLES = 2000;

const FIELDS: Record<string, keyof MachineTotals> = {
  holdfast_machine_cpu_seconds_total: 'cpuSeconds',
  holdfast_machine_cpu_throttled_seconds_total: 'cpuThrottledSeconds',
  holdfast_machine_network_receive_bytes_total: 'networkReceiveBytes',
  holdfast_machine_network_transmit_bytes_total: 'networkTransmitBytes',
  holdfast_machine_disk_read_bytes_total: 'diskReadBytes',
  holdfast_machine_disk_written_bytes_total: 'diskWrittenBytes',
};

export interface TotalsRequest {
  selector: { name: string; value: string };
  window: { startMs: number; endMs: number };
  /** Of whatever showed it; ours may be scraped at another rhythm. */
  scrapeIntervalMs: number;
}

/**
 * What a machine used in all. From the counters themselves: they begin at 0 with the machine, so that their last value is the
 * sum, also of what came before the first scrape; a rate's area knows nothing of that.
 * @returns undefined where there are no such counters
 */
export async function collectTotals(
  prometheus: PrometheusClient,
  { selector, window, scrapeIntervalMs }: TotalsRequest,
  signal: AbortSignal,
): Promise<{ totals: MachineTotals; coverage: number } | undefined> {
  const windowMs = Math.max(1000, Math.ceil((window.endMs - window.startMs) / 1000) * 1000);
  const thinnedMs = Math.ceil(windowMs / MOST_SAMPLES / 1000) * 1000;
  const range =
    windowMs / scrapeIntervalMs <= MOST_SAMPLES
      ? toPromDuration(windowMs)
      : `${toPromDuration(windowMs)}:${toPromDuration(thinnedMs)}`;
  const counters = `{__name__=~"holdfast_machine_.+_total",${toMatcher(selector)}}[${range}]`;
  const series = await prometheus.query(counters, signal, window.endMs);
  if (series.length === 0) return undefined;
  const spacingMs = range.includes(':') ? thinnedMs : (rhythmOf(series) ?? scrapeIntervalMs);
  return { totals: sumUp(series), coverage: coverageOf(series, window, spacingMs) };
}

/** Of several series of a counter (two scrapers, two workers) the one that saw most. */
export function sumUp(series: readonly Series[]): MachineTotals {
  const totals: MachineTotals = {};
  for (const { labels, values } of series) {
    const field = FIELDS[labels['__name__'] ?? ''];
    if (field !== undefined) totals[field] = Math.max(totals[field] ?? 0, counted(values));
  }
  return totals;
}

/** A counter's first value, and every increase after it; after a restart it has counted from 0. */
function counted(values: Series['values']): number {
  let total = 0;
  let last = 0;
  for (const [, text] of values) {
    const value = Number(text);
    if (!Number.isFinite(value)) continue;
    total += value >= last ? value - last : value;
    last = value;
  }
  return total;
}

function rhythmOf(series: readonly Series[]): number | undefined {
  return intervalOf(busiest(series.map(({ values }) => values.map(([seconds]) => seconds * 1000))));
}

/** Each sample stands for the time until the next one; a gap of more than two is one that Prometheus was not there. */
function coverageOf(series: readonly Series[], window: TotalsRequest['window'], spacingMs: number): number {
  const timesMs = [...new Set(series.flatMap(({ values }) => values.map(([time]) => time * 1000)))].sort(
    (a, b) => a - b,
  );
  const borders = [window.startMs, ...timesMs, window.endMs];
  const coveredMs = borders
    .slice(1)
    .map((border, index) => border - (borders[index] ?? border))
    .reduce((sum, gapMs) => sum + (gapMs <= 2.5 * spacingMs ? Math.max(0, gapMs) : 0), 0);
  return Math.min(1, coveredMs / Math.max(1, window.endMs - window.startMs));
}
