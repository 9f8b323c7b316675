import { findBeginnings, withBeginnings, type Curve } from './beginning.js';
import { systemClock, type Clock } from './clock.js';
import type { MachineLimits, MetricsDocument } from './document.js';
import { PrometheusError } from './errors.js';
import { findFlags } from './flags.js';
import { createGaps, type Gaps } from './gaps.js';
import { findLatestScrape, selectedIn, waitForLastScrape, type LastScrape, type ScrapeWait } from './last-scrape.js';
import type { PrometheusClient, Series } from './prometheus-client.js';
import { fillQuery, ownSelector, toPromDuration } from './queries.js';
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
  /**
   * It was tried often enough: a query that gets no answer while others do (Prometheus takes too long for it) is left out with the
   * reason, and the document is incomplete.
   */
  partial?: boolean;
  rules?: readonly FlagRule[];
}

/**
 * Everything about one job's machine in its window. A Prometheus that cannot be asked is an error (try again later); a query
 * that it refuses stands in the document with the reason; a machine that it never saw is the outcome `no_samples`. One that
 * answers some queries only is an error, too, until `partial` is asked for.
 * @throws PrometheusError when the whole collection should be tried again
 */
export async function collectMetrics(
  prometheus: PrometheusClient,
  request: CollectRequest,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<MetricsDocument> {
  const gaps = createGaps(request.partial === true);
  // A Prometheus that refuses even this refuses the queries, too, and they say why; one that does not answer it is down.
  const last = await unless(
    createGaps(false),
    () => (request.early === true ? findLatestScrape : waitForLastScrape)({ prometheus, clock, signal }, request),
    (): LastScrape => ({
      endMs: request.window.endMs,
      isSeen: false,
      mayStillCome: false,
    }),
  );
  const endMs = endOfWindow(request, last);
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
    unless(
      gaps,
      () => findBeginnings(prometheus, { ...request, window, readyAtMs: readyAtMs(request) }, resolution, signal),
      () => NO_CURVES,
    );
  const [asked, begun] = await Promise.all([
    queryAll(prometheus, queries, range, { atOnce: atOnce || request.partial === true, gaps, signal }),
    last.isSeen ? beginnings() : undefined,
  ]);
  // Of a machine that Prometheus has never seen there is no beginning to ask for.
  const curves = begun ?? (asked.series.length > 0 ? await beginnings() : NO_CURVES);
  const { series, computedUntilMs } = withBeginnings(asked.series, request.queries, curves, range, resolution);
  const empty = atOnce ? [] : await findTooShort(prometheus, request, { series, window, intervalMs, gaps }, signal);
  const skipped = [...asked.skipped, ...empty];
  const answers: Answers = { series, skipped, outcome: outcomeOf(series, skipped, Object.keys(queries).length) };
  const facts =
    answers.outcome === 'samples' && !atOnce
      ? await findFacts(prometheus, request, { ...last, window, intervalMs, gaps }, signal)
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
    ...whatMayCome(last, gaps),
  });
}

function whatMayCome({ mayStillCome }: LastScrape, { isOpen }: Gaps): Pick<MetricsDocument, 'complete' | 'missing'> {
  const missing = [...(mayStillCome ? ['last_scrape' as const] : []), ...(isOpen ? ['answers' as const] : [])];
  return missing.length === 0 ? {} : { complete: false, missing };
}

/**
 * Half-way between two scrapes: on a scrape's own time its jitter of some milliseconds would decide whether a rate finds two samples,
 * three, or one and has no value. An early window ends with the script at the latest: a rhythm that is known from few scrapes may be
 * told too long, and what GitLab gets must not end after the whole document.
 */
function endOfWindow({ early, window }: CollectRequest, { endMs, scrapeIntervalMs = 0 }: LastScrape): number {
  const betweenMs = endMs + Math.floor(scrapeIntervalMs / 2);
  return early === true ? Math.min(betweenMs, window.endMs) : betweenMs;
}

const NO_CURVES: ReadonlyMap<string, Curve> = new Map();

/** The first stage is the machine's making. */
function readyAtMs({ stages, window }: CollectRequest): number {
  return stages[0]?.finishedAtMs ?? window.startMs;
}

type Answers = Pick<MetricsDocument, 'series' | 'skipped' | 'outcome'>;

/**
 * One after another where nobody waits: Prometheus serves people too. The client has its own bound (`metrics.maxQueries`). At once
 * also where some are known to time out, so that they do so at the same time.
 * @throws PrometheusError when none has found anything and one may still
 */
async function queryAll(
  prometheus: PrometheusClient,
  queries: Record<string, string>,
  range: QueryRange,
  { atOnce, gaps, signal }: { atOnce: boolean; gaps: Gaps; signal: AbortSignal },
): Promise<Omit<Answers, 'outcome'>> {
  let unanswered: PrometheusError | undefined;
  const ask = async ([query, text]: [string, string]): Promise<Pick<Answers, 'series' | 'skipped'>> => {
    try {
      const found = await queryInRanges(prometheus, text, range, signal);
      return { series: found.map(({ labels, values }) => ({ query, labels, values })), skipped: [] };
    } catch (error) {
      const reason = gaps.reasonFor(error);
      if (error instanceof PrometheusError && error.retryable) unanswered = error;
      return { series: [], skipped: [{ query, reason }] };
    }
  };
  const asked = Object.entries(queries);
  const answers = atOnce ? await Promise.all(asked.map(ask)) : await inTurn(asked, ask);
  const series = answers.flatMap((answer) => answer.series);
  if (unanswered !== undefined && series.length === 0) throw unanswered;
  return {
    series,
    skipped: answers.flatMap((answer) => answer.skipped),
  };
}

async function inTurn<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/**
 * Rates that are empty although the machine has samples: they found fewer than two of them. A query without `{interval}` may be meant
 * to be empty (`x > 5`), and one whose metric the machine does not have is.
 */
async function findTooShort(
  prometheus: PrometheusClient,
  { queries, selector }: CollectRequest,
  found: { series: Answers['series']; window: MetricsDocument['window']; intervalMs: number; gaps: Gaps },
  signal: AbortSignal,
): Promise<Answers['skipped']> {
  const { series, window, intervalMs, gaps } = found;
  const skipped: Answers['skipped'] = [];
  const isEmpty = (query: string) => !series.some((one) => one.query === query && one.values.length > 0);
  const windowMs = Math.max(1000, Math.ceil((window.endMs - window.startMs) / 1000) * 1000);
  for (const [query, template] of series.length === 0 ? [] : Object.entries(queries)) {
    const metric = selectedIn(template, selector);
    if (metric === undefined || !template.includes('{interval}') || !isEmpty(query)) continue;
    const samples = await unless(
      gaps,
      () => prometheus.query(`count_over_time(${metric}[${toPromDuration(windowMs)}])`, signal, window.endMs),
      () => [],
    );
    if (samples.length === 0) continue;
    const reason = `found nothing, although Prometheus has samples of ${metric}: too few for a rate over ${toPromDuration(intervalMs)}`;
    skipped.push({ query, reason });
  }
  return skipped;
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
  last: LastScrape & { window: MetricsDocument['window']; intervalMs: number; gaps: Gaps },
  signal: AbortSignal,
): Promise<Facts> {
  const { scrapeIntervalMs, window, intervalMs, gaps } = last;
  const { selector, machine, limits } = request;
  const windowMs = window.endMs - window.startMs;
  const context = {
    selector,
    machine,
    limits,
    stepMs: intervalMs,
    windowMs,
    endMs: window.endMs,
    jobMs: request.window.endMs - request.window.startMs,
  };
  const flagged = await findFlags(prometheus, request.rules ?? [], context, { gaps, signal });
  // Without a rhythm nobody knows how many samples there are to be.
  if (scrapeIntervalMs === undefined) return flagged;
  const own = ownSelector(selector, machine);
  const summed = await unless(
    gaps,
    () => collectTotals(prometheus, { selector: own, window, scrapeIntervalMs }, signal),
    (reason) => ({ skipped: [...flagged.skipped, { query: 'totals', reason }] }),
  );
  return { ...flagged, ...summed };
}

async function unless<T, U>(gaps: Gaps, work: () => Promise<T>, otherwise: (reason: string) => U): Promise<T | U> {
  try {
    return await work();
  } catch (error) {
    return otherwise(gaps.reasonFor(error));
  }
}

interface Collected extends Answers, Facts, Pick<MetricsDocument, 'computedUntilMs' | 'complete' | 'missing'> {
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
