import type { MetricsDocument } from './document.js';
import { MACHINE_START_TIME } from './machine-start.js';
import type { PrometheusClient, Series } from './prometheus-client.js';
import { counterOf, toMatcher, toPromDuration, type MetricQueries } from './queries.js';
import type { QueryRange, Resolution } from './range.js';
import type { Point } from './values.js';

/** A machine that Prometheus finds this much later is one whose beginning nobody has seen. */
const FOUND_WITHIN_INTERVALS = 6;
/** For as long a preparation is looked at: samples of seven series. */
const LONGEST_PREPARATION_MS = 30 * 60_000;

/** What a counter had counted when, from 0 at its start to some samples later. */
export interface Curve {
  labels: Record<string, string>;
  /** Unix milliseconds and the sum until then, ascending. The first one is the start, the second the first sample. */
  points: [timeMs: number, sum: number][];
}

export interface BeginningRequest {
  selector: { name: string; value: string };
  queries: MetricQueries;
  window: { startMs: number; endMs: number };
  /** When the machine was ready for its job. */
  readyAtMs: number;
}

/**
 * The beginnings of the machine's counters, by counter. A rate needs two samples, so that a graph of rates begins a scrape late, and what
 * was used until then is nowhere in it; the counters themselves know, since they begin at 0 at a time that stands beside them.
 * @returns none where that is not known: of other exporters, of queries that are not ours
 */
export async function findBeginnings(
  prometheus: PrometheusClient,
  { selector, queries, window, readyAtMs }: BeginningRequest,
  { intervalMs }: Resolution,
  signal: AbortSignal,
): Promise<Map<string, Curve>> {
  const isOurs = Object.values(queries).some((query) => counterOf(query) !== undefined);
  const untilMs = Math.min(window.endMs, readyAtMs + FOUND_WITHIN_INTERVALS * intervalMs);
  const lookMs = Math.ceil((untilMs - window.startMs) / 1000) * 1000;
  if (!isOurs || lookMs <= 0 || lookMs > LONGEST_PREPARATION_MS) return new Map();
  const names = `__name__=~"holdfast_machine_.+_total|${MACHINE_START_TIME}"`;
  const found = await prometheus.query(
    `{${names},${toMatcher(selector)}}[${toPromDuration(lookMs)}]`,
    signal,
    Math.round(untilMs),
  );
  return toCurves(found);
}

/** Of several series of a counter (two scrapers, two workers) the one that was there first. */
export function toCurves(series: readonly Series[]): Map<string, Curve> {
  const isStart = ({ labels }: Series) => labels['__name__'] === MACHINE_START_TIME;
  const starts = series.filter(isStart);
  const curves = new Map<string, Curve>();
  for (const counter of series.filter((candidate) => !isStart(candidate))) {
    const name = counter.labels['__name__'] ?? '';
    const start = starts.find((candidate) => isBeside(candidate, counter));
    const curve = start === undefined ? undefined : toCurve(start, counter);
    const known = curves.get(name);
    if (curve === undefined) continue;
    if (known === undefined || firstSampleMs(curve) < firstSampleMs(known)) curves.set(name, curve);
  }
  return curves;
}

function firstSampleMs({ points }: Curve): number {
  return points[1]?.[0] ?? Infinity;
}

/** From the same page. */
function isBeside(one: Series, other: Series): boolean {
  const told = ({ labels }: Series) =>
    JSON.stringify(Object.entries({ ...labels, __name__: '' }).sort(([a], [b]) => (a < b ? -1 : 1)));
  return told(one) === told(other);
}

function toCurve(start: Series, { labels, values }: Series): Curve | undefined {
  const [first] = values;
  const [stated] = start.values;
  // Of the same scrape, or it is the start of something else.
  if (first === undefined || stated === undefined || first[0] !== stated[0]) return undefined;
  const startMs = Number(stated[1]) * 1000;
  // Clocks that differ by more than a machine's first seconds tell nothing of them.
  if (!(startMs < first[0] * 1000)) return undefined;
  const points: Curve['points'] = [[startMs, 0]];
  let last = 0;
  let sum = 0;
  for (const [seconds, text] of values) {
    const value = Number(text);
    if (!Number.isFinite(value)) continue;
    sum += value >= last ? value - last : value;
    last = value;
    points.push([Math.round(seconds * 1000), sum]);
  }
  return { labels: byMachine(labels), points };
}

/** As our queries have them: the machine alone, whoever scraped it. */
function byMachine({ machine }: Series['labels']): Series['labels'] {
  return machine === undefined ? {} : { machine };
}

/**
 * A graph's first points, in which rates have found fewer than two samples or what they make of the first two, told by the counter
 * instead: of each step what was used in it, between two samples (and the start) evenly.
 */
export function completeBeginning(
  values: readonly Point[],
  curve: Curve,
  range: QueryRange,
  { stepMs, intervalMs }: Resolution,
): { values: Point[]; untilMs: number | undefined } {
  const [startMs = Infinity] = curve.points[0] ?? [];
  const [lastMs = -Infinity] = curve.points.at(-1) ?? [];
  // A rate over more than a step stands for the middle of what it is taken over.
  const backMs = (intervalMs - stepMs) / 2;
  const computed = new Map<number, string>();
  for (let atMs = range.startMs; atMs <= Math.min(range.endMs, firstSampleMs(curve) + intervalMs); atMs += stepMs) {
    const toMs = atMs - backMs;
    // The scrape's own jitter must not decide.
    if (toMs <= startMs || toMs > lastMs + stepMs / 2) continue;
    const used = Math.max(0, usedUntil(curve, toMs) - usedUntil(curve, toMs - stepMs));
    computed.set(Math.round(atMs), String((used * 1000) / stepMs));
  }
  if (computed.size === 0) return { values: [...values], untilMs: undefined };
  const others = values.filter(([seconds]) => !computed.has(Math.round(seconds * 1000)));
  const ours = [...computed].map(([ms, value]): Point => [ms / 1000, value]);
  return { values: [...others, ...ours].sort(([a], [b]) => a - b), untilMs: Math.max(...computed.keys()) };
}

function usedUntil({ points }: Curve, atMs: number): number {
  const next = points.findIndex(([timeMs]) => timeMs >= atMs);
  if (next === -1) return points.at(-1)?.[1] ?? 0;
  const [timeMs, sum] = points[next] ?? [atMs, 0];
  const [beforeMs, before] = points[next - 1] ?? [timeMs, 0];
  if (next === 0) return 0;
  return before + ((sum - before) * (atMs - beforeMs)) / (timeMs - beforeMs);
}

/** All of a document's graphs of counters of ours, with their beginnings. */
export function withBeginnings(
  series: MetricsDocument['series'],
  queries: MetricQueries,
  curves: ReadonlyMap<string, Curve>,
  range: QueryRange,
  resolution: Resolution,
): { series: MetricsDocument['series']; computedUntilMs?: number } {
  const completed = [...series];
  let computedUntilMs: number | undefined;
  for (const [query, template] of Object.entries(queries)) {
    const curve = curves.get(counterOf(template) ?? '');
    const at = completed.findIndex((candidate) => candidate.query === query);
    if (curve === undefined || completed.filter((candidate) => candidate.query === query).length > 1) continue;
    const { labels, values } = completed[at] ?? { labels: curve.labels, values: [] };
    const whole = completeBeginning(values, curve, range, resolution);
    if (whole.untilMs === undefined) continue;
    computedUntilMs = Math.max(computedUntilMs ?? 0, whole.untilMs);
    completed.splice(at === -1 ? completed.length : at, at === -1 ? 0 : 1, { query, labels, values: whole.values });
  }
  return { series: completed, ...(computedUntilMs === undefined ? {} : { computedUntilMs }) };
}
