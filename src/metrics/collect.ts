import { findBeginnings, withBeginnings, type Curve } from './beginning.js';
import { systemClock, type Clock } from './clock.js';
import type { MachineLimits, MetricsDocument } from './document.js';
import { PrometheusError } from './errors.js';
import { findFlags } from './flags.js';
import { findLatestScrape, waitForLastScrape, type LastScrape, type ScrapeWait } from './last-scrape.js';
import type { PrometheusClient, Series } from './prometheus-client.js';
import { fillQuery } from './queries.js';
import { alignToEnd, chooseResolution, splitRange, type QueryRange } from './range.js';
import type { FlagRule } from './rules.js';
import { collectTotals } from './totals.js';

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
  aggregates?: NonNullable<MetricsDocument['aggregates']>;
  limits?: MachineLimits;
  oomKills?: number;
  /** With the samples that are there now, for somebody who waits: neither the last scrape nor sums and flags. */
  early?: boolean;
  rules?: readonly FlagRule[];
}

/**
 * Everything about one job's machine in its window. A Prometheus that cannot be asked is an error (try again later); a query
 * that it refuses stands in the document with the reason; a machine that it never saw is the outcome `no_samples`.
 * @throws PrometheusError when the whole collection should be tried again
 */
export async function collectMetrics(
  prometheus: PrometheusClient,
  request: CollectRequest,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<MetricsDocument> {
  // A Prometheus that refuses even this refuses the queries, too, and they say why.
  const last = await unlessRefused(
    () => (request.early === true ? findLatestScrape : waitForLastScrape)({ prometheus, clock, signal }, request),
    (): LastScrape => ({
      endMs: request.window.endMs,
      isSeen: false,
    }),
  );
  // Half-way between two scrapes: on a scrape's own time its jitter of some milliseconds would decide whether a rate finds two
  // samples, three, or one and has no value.
  const endMs = last.endMs + Math.floor((last.scrapeIntervalMs ?? 0) / 2);
  const window = { startMs: Math.min(request.window.startMs, endMs), endMs };
  const resolution = chooseResolution(window.endMs - window.startMs, request.stepMs, last.scrapeIntervalMs);
  const { stepMs, intervalMs } = resolution;
  const queries = Object.fromEntries(
    Object.entries(request.queries).map(([query, template]) => [
      query,
      fillQuery(template, request.selector, intervalMs),
    ]),
  );
  const range = alignToEnd(window, stepMs);
  const atOnce = request.early === true;
  const beginnings = () =>
    unlessRefused(
      () => findBeginnings(prometheus, { ...request, window, readyAtMs: readyAtMs(request) }, resolution, signal),
      () => NO_CURVES,
    );
  const [asked, begun] = await Promise.all([
    queryAll(prometheus, queries, range, { atOnce, signal }),
    last.isSeen ? beginnings() : undefined,
  ]);
  // Of a machine that Prometheus has never seen there is no beginning to ask for.
  const curves = begun ?? (asked.series.length > 0 ? await beginnings() : NO_CURVES);
  const { series, computedUntilMs } = withBeginnings(asked.series, request.queries, curves, range, resolution);
  const { skipped } = asked;
  const answers: Answers = { series, skipped, outcome: outcomeOf(series, skipped, Object.keys(queries).length) };
  const facts =
    answers.outcome === 'samples' && !atOnce
      ? await findFacts(prometheus, request, { ...last, window, intervalMs }, signal)
      : NOTHING;
  return toDocument(request, {
    last,
    window,
    stepMs,
    queries,
    ...answers,
    ...(computedUntilMs === undefined ? {} : { computedUntilMs }),
    ...facts,
    skipped: [...answers.skipped, ...facts.skipped],
    collectedAtMs: clock.now(),
  });
}

const NO_CURVES: ReadonlyMap<string, Curve> = new Map();

/** The first stage is the machine's making. */
function readyAtMs({ stages, window }: CollectRequest): number {
  return stages[0]?.finishedAtMs ?? window.startMs;
}

type Answers = Pick<MetricsDocument, 'series' | 'skipped' | 'outcome'>;

/** One after another where nobody waits: Prometheus serves people too. The client has its own bound (`metrics.maxQueries`). */
async function queryAll(
  prometheus: PrometheusClient,
  queries: Record<string, string>,
  range: QueryRange,
  { atOnce, signal }: { atOnce: boolean; signal: AbortSignal },
): Promise<Omit<Answers, 'outcome'>> {
  const ask = async ([query, text]: [string, string]): Promise<Pick<Answers, 'series' | 'skipped'>> => {
    try {
      const found = await queryInRanges(prometheus, text, range, signal);
      return { series: found.map(({ labels, values }) => ({ query, labels, values })), skipped: [] };
    } catch (error) {
      if (!(error instanceof PrometheusError) || error.retryable) throw error;
      return { series: [], skipped: [{ query, reason: error.message }] };
    }
  };
  const asked = Object.entries(queries);
  const answers = atOnce ? await Promise.all(asked.map(ask)) : await inTurn(asked, ask);
  return {
    series: answers.flatMap((answer) => answer.series),
    skipped: answers.flatMap((answer) => answer.skipped),
  };
}

async function inTurn<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** When every query was refused nothing is known of whether there are samples. */
function outcomeOf(series: Answers['series'], skipped: Answers['skipped'], asked: number): Answers['outcome'] {
  if (asked > 0 && skipped.length === asked) return 'refused';
  return series.some(({ values }) => values.length > 0) ? 'samples' : 'no_samples';
}

type Facts = Pick<MetricsDocument, 'totals' | 'coverage' | 'skipped'> & Required<Pick<MetricsDocument, 'flags'>>;
const NOTHING: Facts = { skipped: [], flags: [] };

/** What is not a graph: sums, and the flags. */
async function findFacts(
  prometheus: PrometheusClient,
  request: CollectRequest,
  { scrapeIntervalMs, window, intervalMs }: LastScrape & { window: MetricsDocument['window']; intervalMs: number },
  signal: AbortSignal,
): Promise<Facts> {
  const { selector, limits } = request;
  const windowMs = window.endMs - window.startMs;
  const context = {
    selector,
    limits,
    stepMs: intervalMs,
    windowMs,
    endMs: window.endMs,
    jobMs: request.window.endMs - request.window.startMs,
  };
  const flagged = await findFlags(prometheus, request.rules ?? [], context, signal);
  // An interval is known only of our own metrics.
  if (scrapeIntervalMs === undefined) return flagged;
  const summed = await unlessRefused(
    () => collectTotals(prometheus, { selector, window, scrapeIntervalMs }, signal),
    (reason) => ({ skipped: [...flagged.skipped, { query: 'totals', reason }] }),
  );
  return { ...flagged, ...summed };
}

async function unlessRefused<T, U>(work: () => Promise<T>, otherwise: (reason: string) => U): Promise<T | U> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PrometheusError) || error.retryable) throw error;
    return otherwise(error.message);
  }
}

interface Collected extends Answers, Facts, Pick<MetricsDocument, 'computedUntilMs'> {
  last: LastScrape;
  window: MetricsDocument['window'];
  stepMs: number;
  queries: Record<string, string>;
  collectedAtMs: number;
}

function toDocument(request: CollectRequest, collected: Collected): MetricsDocument {
  const { job, name, project, machine, engine, selector, stages, aggregate, aggregates, limits, oomKills } = request;
  const { last, ...found } = collected;
  return {
    version: 1,
    job,
    name,
    project,
    machine,
    engine,
    ...(last.scrapeIntervalMs === undefined ? {} : { scrapeIntervalMs: last.scrapeIntervalMs }),
    selector,
    stages,
    aggregate,
    ...(aggregates === undefined ? {} : { aggregates }),
    ...(limits === undefined ? {} : { limits }),
    ...(oomKills === undefined ? {} : { oomKills }),
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
