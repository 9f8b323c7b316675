import { systemClock, type Clock } from './clock.js';
import type { MetricsDocument } from './document.js';
import { PrometheusError } from './errors.js';
import { waitForLastScrape, type LastScrape, type ScrapeWait } from './last-scrape.js';
import type { PrometheusClient, Series } from './prometheus-client.js';
import { fillQuery } from './queries.js';
import { alignToEnd, chooseStep, splitRange, type QueryRange } from './range.js';

export interface CollectRequest extends ScrapeWait {
  /** Workflow id. */
  job: string;
  name: string;
  project: string;
  machine: string;
  engine: string;
  stages: MetricsDocument['stages'];
  /** The finest step wanted; a long job or a slow scrape makes it a multiple. */
  stepMs: number;
  aggregate: MetricsDocument['aggregate'];
}

/**
 * Everything about one job's machine in its window. A Prometheus that cannot be asked is an error (try again later); a query
 * that it refuses stands in the document with the reason; a machine that it never saw is the outcome `no_samples`.
 * @throws PrometheusError when the whole collection should be tried again, or, not retryable, when every query was refused
 */
export async function collectMetrics(
  prometheus: PrometheusClient,
  request: CollectRequest,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<MetricsDocument> {
  const last = await waitForLastScrape({ prometheus, clock, signal }, request);
  const window = { startMs: Math.min(request.window.startMs, last.endMs), endMs: last.endMs };
  const stepMs = chooseStep(window.endMs - window.startMs, request.stepMs, last.scrapeIntervalMs);
  const queries = Object.fromEntries(
    Object.entries(request.queries).map(([query, template]) => [query, fillQuery(template, request.selector, stepMs)]),
  );
  const answers = await queryAll(prometheus, queries, alignToEnd(window, stepMs), signal);
  return toDocument(request, { last, window, stepMs, queries, ...answers, collectedAtMs: clock.now() });
}

type Answers = Pick<MetricsDocument, 'series' | 'skipped'>;

/** One after another: a job's metrics are in no hurry, and Prometheus serves people too. */
async function queryAll(
  prometheus: PrometheusClient,
  queries: Record<string, string>,
  range: QueryRange,
  signal: AbortSignal,
): Promise<Answers> {
  const answers: Answers = { series: [], skipped: [] };
  for (const [query, text] of Object.entries(queries)) {
    try {
      const found = await queryInRanges(prometheus, text, range, signal);
      answers.series.push(...found.map(({ labels, values }) => ({ query, labels, values })));
    } catch (error) {
      if (!(error instanceof PrometheusError) || error.retryable) throw error;
      answers.skipped.push({ query, reason: error.message });
    }
  }
  const count = Object.keys(queries).length;
  if (count > 0 && answers.skipped.length === count) throw allRefused(answers.skipped);
  return answers;
}

/** Nothing is known then of whether there are samples, so that is not an outcome to keep. */
function allRefused(skipped: MetricsDocument['skipped']): PrometheusError {
  const reasons = skipped.map(({ query, reason }) => `${query}: ${reason}`).join('; ');
  return new PrometheusError('PROMETHEUS_REFUSED', `Every query of metrics.queries was refused: ${reasons}`);
}

interface Collected extends Answers {
  last: LastScrape;
  window: MetricsDocument['window'];
  stepMs: number;
  queries: Record<string, string>;
  collectedAtMs: number;
}

function toDocument(request: CollectRequest, collected: Collected): MetricsDocument {
  const { job, name, project, machine, engine, selector, stages, aggregate } = request;
  const { last, ...found } = collected;
  return {
    version: 1,
    job,
    name,
    project,
    machine,
    engine,
    outcome: collected.series.some(({ values }) => values.length > 0) ? 'samples' : 'no_samples',
    ...(last.scrapeIntervalMs === undefined ? {} : { scrapeIntervalMs: last.scrapeIntervalMs }),
    selector,
    stages,
    aggregate,
    ...found,
  };
}

/** Long windows in ranges that Prometheus accepts, put together again by their labels. */
async function queryInRanges(
  prometheus: PrometheusClient,
  query: string,
  range: QueryRange,
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
