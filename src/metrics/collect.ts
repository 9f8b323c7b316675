import { setTimeout as delay } from 'node:timers/promises';
import type { MetricsDocument } from './document.js';
import { PrometheusError, type PrometheusClient, type Series } from './prometheus-client.js';
import { chooseStep, fillQuery, MAX_POINTS_PER_QUERY, type MetricQueries } from './queries.js';

export interface CollectRequest {
  job: string;
  name: string;
  project: string;
  machine: string;
  engine: string;
  selector: { name: string; value: string };
  /** `endMs`: when the script ended. */
  window: { startMs: number; endMs: number };
  stages: MetricsDocument['stages'];
  queries: MetricQueries;
  stepMs: number;
  /** How long to wait for the scrape that covers the end of the script. */
  scrapeWaitMs: number;
  aggregate: MetricsDocument['aggregate'];
}

const LOOK_MS = 250;

/**
 * Everything about one job's machine in its window. Prometheus that cannot be reached is an error (try again later); a query
 * that it refuses stands in the document with the reason; a machine that it never saw is the outcome `no_samples`.
 * @throws PrometheusError when the whole collection should be tried again
 */
export async function collectMetrics(
  prometheus: PrometheusClient,
  request: CollectRequest,
  signal: AbortSignal,
): Promise<MetricsDocument> {
  const endMs = await waitForLastScrape(prometheus, request, signal);
  const window = { startMs: request.window.startMs, endMs };
  const stepMs = chooseStep(window.endMs - window.startMs, request.stepMs);
  const queries: Record<string, string> = {};
  const series: MetricsDocument['series'] = [];
  const skipped: MetricsDocument['skipped'] = [];
  for (const [query, template] of Object.entries(request.queries)) {
    const text = fillQuery(template, request.selector, stepMs);
    queries[query] = text;
    try {
      const found = await queryInRanges(prometheus, text, { ...window, stepMs }, signal);
      series.push(...found.map(({ labels, values }) => ({ query, labels, values })));
    } catch (error) {
      if (!(error instanceof PrometheusError) || error.retryable) throw error;
      skipped.push({ query, reason: error.message });
    }
  }
  const points = series.reduce((total, { values }) => total + values.length, 0);
  const { job, name, project, machine, engine, selector, stages, aggregate } = request;
  return {
    version: 1,
    job,
    name,
    project,
    machine,
    engine,
    outcome: points > 0 ? 'samples' : 'no_samples',
    window,
    stepMs,
    selector,
    stages,
    queries,
    series,
    skipped,
    aggregate,
    collectedAtMs: Date.now(),
  };
}

/** @returns the end of the window: when the scrape was made that covers the end of the script, if it came in time */
async function waitForLastScrape(
  prometheus: PrometheusClient,
  request: CollectRequest,
  signal: AbortSignal,
): Promise<number> {
  const { endMs } = request.window;
  const matcher = `{__name__=~"holdfast_machine_cpu_seconds_total",${request.selector.name}="${request.selector.value}"}`;
  const [firstQuery] = Object.values(request.queries);
  // Only our own metrics are known well enough to wait for; of others the wait is the time itself.
  const ours = Object.values(request.queries).some((query) => query.includes('holdfast_machine_'));
  const deadline = endMs + request.scrapeWaitMs;
  for (;;) {
    if (!ours || firstQuery === undefined) {
      if (Date.now() >= deadline) return deadline;
    } else {
      const scrapedAtMs = await lastScrape(prometheus, matcher, signal);
      if (scrapedAtMs !== undefined && scrapedAtMs >= endMs) return scrapedAtMs;
      if (Date.now() >= deadline) return Math.max(endMs, scrapedAtMs ?? 0);
    }
    await delay(LOOK_MS, undefined, { signal });
  }
}

async function lastScrape(
  prometheus: PrometheusClient,
  matcher: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const found = await prometheus.query(`max(timestamp(${matcher}))`, signal);
  const value = found[0]?.values[0]?.[1];
  return value === undefined ? undefined : Number(value) * 1000;
}

/** Long windows in ranges that Prometheus accepts; no point twice. */
async function queryInRanges(
  prometheus: PrometheusClient,
  query: string,
  range: { startMs: number; endMs: number; stepMs: number },
  signal: AbortSignal,
): Promise<Series[]> {
  const merged = new Map<string, Series>();
  for (const part of splitRange(range)) {
    for (const series of await prometheus.queryRange(query, part, signal)) {
      const key = JSON.stringify(Object.entries(series.labels).sort());
      const known = merged.get(key);
      if (known === undefined) merged.set(key, series);
      else known.values.push(...series.values);
    }
  }
  return [...merged.values()];
}

export function splitRange(range: { startMs: number; endMs: number; stepMs: number }) {
  const parts: (typeof range)[] = [];
  const spanMs = (MAX_POINTS_PER_QUERY - 1) * range.stepMs;
  for (let startMs = range.startMs; startMs <= range.endMs; startMs += spanMs + range.stepMs) {
    parts.push({ startMs, endMs: Math.min(startMs + spanMs, range.endMs), stepMs: range.stepMs });
  }
  return parts;
}
