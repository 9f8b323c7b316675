import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from './clock.js';
import { collectMetrics, type CollectRequest } from './collect.js';
import { PrometheusError } from './errors.js';
import type { PrometheusClient, Series } from './prometheus-client.js';
import type { QueryRange } from './range.js';

const START_MS = 1_000_000;
const END_MS = 1_060_000;
/** Half of the 2 s between the scrapes of most tests: where the window ends after the last one. */
const HALF_MS = 1000;

const request: CollectRequest = {
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
function scripted(options: {
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

function run(world: ReturnType<typeof scripted>, changes: Partial<CollectRequest> = {}) {
  return collectMetrics(world.prometheus, { ...request, ...changes }, new AbortController().signal, world.clock);
}

describe('the end of the window', () => {
  it('is the first scrape after the end of the script, and is waited for', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS + 800, everyMs: 2000 } });

    const document = await run(world);

    expect(document.window).toEqual({ startMs: START_MS, endMs: END_MS + 800 + HALF_MS });
    expect(document.scrapeIntervalMs).toBe(2000);
    expect(document.series[0]?.values.at(-1)?.[0]).toBe((END_MS + 800 + HALF_MS) / 1000);
    expect(world.elapsedMs()).toBeLessThan(1500);
    expect(world.looks.length).toBeLessThan(6);
  });

  it('is the second scrape of a job that was over before the first: one sample makes no rate', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: END_MS + 1000, everyMs: 5000 } });

    expect((await run(world)).window.endMs).toBe(END_MS + 6000 + 2500);
  });

  it('is the end of the script when no scrape comes in time', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS, everyMs: 5000, lastMs: END_MS - 5000 } });

    const document = await run(world);

    expect(document.window.endMs).toBe(END_MS + 2500);
    expect(document.outcome).toBe('samples');
    expect(world.elapsedMs()).toBe(15_000);
  });

  it('is looked up at its own time when the job ended long ago, without a wait', async () => {
    const world = scripted({ nowMs: END_MS + 86_400_000, scrapes: { firstMs: START_MS + 800, everyMs: 2000 } });

    const document = await run(world);

    expect(document.window.endMs).toBe(END_MS + 800 + HALF_MS);
    expect(world.looks.filter(({ query }) => !query.includes('__name__'))).toHaveLength(1);
    expect(world.looks[0]?.atMs).toBe(END_MS + 15_000);
    expect(world.elapsedMs()).toBe(0);
  });

  it('is waited for by time alone when the queries are of another exporter', async () => {
    const world = scripted({ nowMs: END_MS + 4000, scrapes: { firstMs: START_MS, everyMs: 5000 } });

    const document = await run(world, { queries: { cpu: 'rate(my_cpu_seconds_total{{selector}}[{interval}])' } });

    expect(world.looks).toEqual([]);
    expect(world.elapsedMs()).toBe(11_000);
    expect(document.window.endMs).toBe(END_MS);
  });

  it.each([
    ['rate(container_cpu_usage_seconds_total{{selector}}[{interval}])', 'container_memory_working_set_bytes'],
    ['rate(node_cpu_seconds_total{{selector}}[{interval}])', 'node_memory_MemTotal_bytes'],
  ])('of %s is looked for in %s', async (query, probe) => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS + 800, everyMs: 2000 } });

    await run(world, { queries: { cpu: query } });

    expect(world.looks[0]?.query).toBe(`${probe}{machine="hf-1"}[150s]`);
  });

  it('never waits beyond its bound, whatever the rhythm of the scrapes', async () => {
    const rhythm = fc.record({
      firstMs: fc.integer({ min: 0, max: 120_000 }),
      everyMs: fc.integer({ min: 200, max: 90_000 }),
    });
    await fc.assert(
      fc.asyncProperty(rhythm, fc.integer({ min: 0, max: 15_000 }), async ({ firstMs, everyMs }, scrapeWaitMs) => {
        const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS + firstMs, everyMs } });

        const document = await run(world, { scrapeWaitMs });

        expect(world.elapsedMs()).toBeLessThanOrEqual(scrapeWaitMs);
        expect(document.window.endMs).toBeGreaterThanOrEqual(END_MS);
        expect(document.window.endMs).toBeLessThanOrEqual(END_MS + scrapeWaitMs + everyMs / 2 + 50);
      }),
    );
  });
});

describe('an early collection', () => {
  it('waits for nothing and ends with the last scrape that there is', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS + 800, everyMs: 5000 } });

    const document = await run(world, { early: true });

    expect(world.elapsedMs()).toBe(0);
    expect(document).toMatchObject({ outcome: 'samples', scrapeIntervalMs: 5000 });
    expect(document.window.endMs).toBe(START_MS + 55_800 + 2500);
  });

  it('takes no scrape for the last but those before the end of the script, however late it is', async () => {
    const world = scripted({ nowMs: END_MS + 30_000, scrapes: { firstMs: START_MS + 800, everyMs: 5000 } });

    expect((await run(world, { early: true })).window.endMs).toBe(START_MS + 55_800 + 2500);
  });

  it('asks for the graphs alone: sums and rules are left to the last one', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS, everyMs: 5000 } });
    const rules = [{ name: 'busy', query: 'vector(1)', threshold: 0, longerThanMs: 0 }];

    const document = await run(world, { early: true, rules });

    expect(world.looks).toHaveLength(1);
    expect(document.totals).toBeUndefined();
    expect(document.flags).toEqual([]);
  });

  it('of which Prometheus has seen nothing yet has no samples', async () => {
    expect((await run(scripted({ nowMs: END_MS }), { early: true })).outcome).toBe('no_samples');
  });
});

describe('what is asked', () => {
  it('has the machine and the step in it, and stands in the document as sent', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS, everyMs: 1000 } });

    const document = await run(world);

    const sent = 'rate(holdfast_machine_cpu_seconds_total{machine="hf-1"}[5s])';
    expect(document.queries).toEqual({ cpu: sent });
    expect(world.ranges.map(({ query }) => query)).toEqual([sent]);
  });

  it('is a rate over two scrapes when Prometheus scrapes more slowly than the step', async () => {
    const world = scripted({ nowMs: END_MS + 86_400_000, scrapes: { firstMs: START_MS, everyMs: 15_000 } });

    const document = await run(world);

    expect(document.stepMs).toBe(15_000);
    expect(document.queries['cpu']).toMatch(/\[30s\]/);
  });

  it('is at most 1,000 points for a job of a week', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: END_MS - 100_000, everyMs: 1000 } });

    const document = await run(world, { window: { startMs: END_MS - 7 * 86_400_000, endMs: END_MS } });

    expect(document.series[0]?.values.length).toBeGreaterThan(900);
    expect(document.series[0]?.values.length).toBeLessThanOrEqual(1000);
  });
});

describe('the outcome', () => {
  it('is no_samples when Prometheus answers and knows nothing of the machine', async () => {
    const document = await run(scripted({ nowMs: END_MS + 86_400_000 }));

    expect(document).toMatchObject({ outcome: 'no_samples', series: [], skipped: [] });
  });

  it('is an error to be tried again when Prometheus cannot be asked', async () => {
    const world = scripted({
      nowMs: END_MS + 86_400_000,
      refuse: () => new PrometheusError('PROMETHEUS_UNREACHABLE', 'gone'),
    });

    await expect(run(world)).rejects.toMatchObject({ code: 'PROMETHEUS_UNREACHABLE', retryable: true });
  });

  it('names each query that was refused, with the reason, and keeps the others', async () => {
    const world = scripted({
      nowMs: END_MS,
      scrapes: { firstMs: START_MS, everyMs: 1000 },
      refuse: (query) => (query === '((' ? new PrometheusError('PROMETHEUS_REFUSED', 'parse error') : undefined),
    });

    const document = await run(world, { queries: { broken: '((', ...request.queries } });

    expect(document.outcome).toBe('samples');
    expect(document.skipped).toEqual([{ query: 'broken', reason: 'parse error' }]);
    expect(document.series.map(({ query }) => query)).toEqual(['cpu']);
  });

  it('is refused, not no_samples, when every query was refused: nothing is known then', async () => {
    const world = scripted({
      nowMs: END_MS + 86_400_000,
      refuse: () => new PrometheusError('PROMETHEUS_REFUSED', 'parse error'),
    });

    const document = await run(world);

    expect(document.outcome).toBe('refused');
    expect(document.skipped).toEqual([{ query: 'cpu', reason: 'parse error' }]);
  });

  it('names the rule that was refused, and keeps the graphs', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS, everyMs: 1000 } });
    const refusing = {
      ...world.prometheus,
      query: (query: string, signal?: AbortSignal, atMs?: number) =>
        query === '(('
          ? Promise.reject(new PrometheusError('PROMETHEUS_REFUSED', 'parse error'))
          : world.prometheus.query(query, signal, atMs),
    };
    const rules = [{ name: 'odd', query: '((', threshold: 1, longerThanMs: 0 }];

    const document = await collectMetrics(refusing, { ...request, rules }, new AbortController().signal, world.clock);

    expect(document.outcome).toBe('samples');
    expect(document.flags).toEqual([]);
    expect(document.skipped).toEqual([{ query: 'rule odd', reason: 'parse error' }]);
  });
});
