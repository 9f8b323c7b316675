import type { Clock } from '../../../src/metrics/clock.js';
import { collectMetrics, type CollectRequest } from '../../../src/metrics/collect.js';
import type { PrometheusError } from '../../../src/metrics/errors.js';
import type { PrometheusClient, Series } from '../../../src/metrics/prometheus-client.js';
import type { QueryRange } from '../../../src/metrics/range.js';

export const START_MS = 1_000_000;
export const END_MS = 1_060_000;
/** Half of the 2 s between the scrapes of most tests: where the window ends after the last one. */
export const HALF_MS = 1000;

/** A job of a minute. */
export const request: CollectRequest = {
  job: 'job/1',
  name: 'build',
  project: 'group/project',
  machine: 'hf-1',
  engine: 'local',
  selector: { name: 'machine', value: 'hf-1' },
  window: { startMs: START_MS, endMs: END_MS },
  stages: [],
  queries: { cpu: 'rate(holdfast_machine_cpu_seconds_total{{selector}}[{interval}])' },
  stepMs: 5000,
  scrapeWaitMs: 15_000,
  aggregate: 'sum',
};

/** A Prometheus that scrapes a machine at a fixed rhythm and answers ranges with one series of ones; time is the clock's. */
export function scripted(options: {
  nowMs: number;
  scrapes?: { firstMs: number; everyMs: number; lastMs?: number };
  refuse?: (query: string) => PrometheusError | undefined;
}) {
  let nowMs = options.nowMs;
  const looks: { query: string; atMs: number }[] = [];
  const ranges: { query: string; range: QueryRange }[] = [];
  const clock: Clock = {
    now: () => nowMs,
    sleep: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
  };
  function scrapesBefore(atMs: number): [number, string][] {
    const { firstMs, everyMs, lastMs = Infinity } = options.scrapes ?? { firstMs: Infinity, everyMs: 1 };
    const values: [number, string][] = [];
    for (let scrapeMs = firstMs; scrapeMs <= Math.min(atMs, lastMs); scrapeMs += everyMs)
      values.push([scrapeMs / 1000, '1']);
    return values;
  }
  const prometheus: PrometheusClient = {
    query: (query, _signal, atMs) => {
      const at = atMs ?? nowMs;
      looks.push({ query, atMs: at });
      const values = scrapesBefore(Math.min(at, nowMs));
      return Promise.resolve(values.length === 0 ? [] : [{ labels: {}, values }]);
    },
    queryRange: (query, range) => {
      ranges.push({ query, range });
      const error = options.refuse?.(query);
      if (error !== undefined) return Promise.reject(error);
      if (options.scrapes === undefined) return Promise.resolve([]);
      const series: Series = { labels: { machine: 'hf-1' }, values: [] };
      for (let atMs = range.startMs; atMs <= range.endMs; atMs += range.stepMs) series.values.push([atMs / 1000, '1']);
      return Promise.resolve([series]);
    },
    checkQuery: () => Promise.resolve(undefined),
    retention: () => Promise.resolve(undefined),
    ready: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  return { prometheus, clock, looks, ranges, elapsedMs: () => nowMs - options.nowMs };
}

/** What is collected of it. */
export function run(world: ReturnType<typeof scripted>, changes: Partial<CollectRequest> = {}) {
  return collectMetrics(world.prometheus, { ...request, ...changes }, new AbortController().signal, world.clock);
}
