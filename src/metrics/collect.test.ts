import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from './clock.js';
import { collectMetrics, type CollectRequest } from './collect.js';
import { PrometheusError } from './errors.js';
import type { PrometheusClient, Series } from './prometheus-client.js';
import type { QueryRange } from './range.js';
import { toRules } from './rules.js';

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
    expect(world.looks[0]?.atMs).toBe(END_MS + 120_000);
    expect(world.elapsedMs()).toBe(0);
  });

  it('is waited for when it comes a minute later: Prometheus scrapes so by default', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: END_MS - 100_000, everyMs: 60_000 } });

    const document = await run(world, { window: { startMs: END_MS - 120_000, endMs: END_MS } });

    expect(document.window.endMs).toBe(END_MS + 20_000 + 30_000);
    expect(document.complete).toBeUndefined();
    expect(world.elapsedMs()).toBeLessThan(21_000);
    expect(world.looks.length).toBeLessThan(10);
  });

  it('is waited for when the machine was seen once: nobody knows when the next scrape comes', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: END_MS - 10_000, everyMs: 60_000 } });

    expect((await run(world)).window.endMs).toBe(END_MS + 50_000 + 30_000);
  });

  it('is not waited for so long at a replay, and found at its time later', async () => {
    const scrapes = { firstMs: END_MS - 100_000, everyMs: 60_000 };
    const window = { startMs: END_MS - 120_000, endMs: END_MS };
    const soon = scripted({ nowMs: END_MS, scrapes });
    const later = scripted({ nowMs: END_MS + 86_400_000, scrapes });

    const early = await run(soon, { window, hurried: true });
    const whole = await run(later, { window, hurried: true });

    expect(soon.elapsedMs()).toBe(15_000);
    expect(early).toMatchObject({ complete: false, window: { endMs: END_MS + 30_000 } });
    expect(later.elapsedMs()).toBe(0);
    expect(whole.window.endMs).toBe(END_MS + 20_000 + 30_000);
    expect(whole.complete).toBeUndefined();
  });

  it('that did not come may still, but not long after the job', async () => {
    const scrapes = { firstMs: START_MS, everyMs: 5000, lastMs: END_MS - 5000 };

    expect((await run(scripted({ nowMs: END_MS, scrapes }))).complete).toBe(false);
    expect((await run(scripted({ nowMs: END_MS + 86_400_000, scrapes }))).complete).toBeUndefined();
  });

  it.each([
    [
      'rate(my_cpu_seconds_total{mode!="idle",{selector}}[{interval}])',
      'my_cpu_seconds_total{mode!="idle",machine="hf-1"}',
    ],
    ['sum:rate5m{{selector}}', 'sum:rate5m{machine="hf-1"}'],
    ['rate({__name__="my_cpu",{selector}}[{interval}])', '{machine="hf-1"}'],
  ])('of %s is looked for in it', async (cpu, probe) => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS + 800, everyMs: 5000 } });

    const document = await run(world, { queries: { cpu } });

    expect(world.looks[0]?.query).toBe(`${probe}[240s]`);
    expect(document).toMatchObject({ scrapeIntervalMs: 5000, window: { endMs: END_MS + 800 + 2500 } });
  });

  it.each([
    ['rate(container_cpu_usage_seconds_total{{selector}}[{interval}])', 'container_memory_working_set_bytes'],
    ['rate(node_cpu_seconds_total{{selector}}[{interval}])', 'node_memory_MemTotal_bytes'],
  ])('of %s is looked for in %s', async (query, probe) => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS + 800, everyMs: 2000 } });

    await run(world, { queries: { cpu: query } });

    expect(world.looks[0]?.query).toBe(`${probe}{machine="hf-1"}[240s]`);
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

        const isRhythmKnown = firstMs + everyMs <= END_MS - START_MS;
        const boundMs = Math.max(scrapeWaitMs, isRhythmKnown ? everyMs + 1050 : 120_000);
        expect(world.elapsedMs()).toBeLessThanOrEqual(boundMs);
        expect(document.window.endMs).toBeGreaterThanOrEqual(END_MS);
        expect(document.window.endMs).toBeLessThanOrEqual(END_MS + boundMs + everyMs / 2 + 50);
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

  describe('of a Prometheus that answers some queries only', () => {
    const timedOut = () => new PrometheusError('PROMETHEUS_FAULT', 'answered 503: query timed out');
    const rules = [{ name: 'odd', query: 'slow', threshold: 1, longerThanMs: 0 }];

    function collect(
      changes: Partial<CollectRequest>,
      refuse: (query: string) => boolean = (query) => query === 'slow',
    ) {
      const world = scripted({
        nowMs: END_MS + 86_400_000,
        scrapes: { firstMs: START_MS, everyMs: 1000 },
        refuse: (query) => (refuse(query) ? timedOut() : undefined),
      });
      const prometheus = {
        ...world.prometheus,
        query: (query: string, signal?: AbortSignal, atMs?: number) =>
          /slow|__name__/.test(query) ? Promise.reject(timedOut()) : world.prometheus.query(query, signal, atMs),
      };
      const queries = { heavy: 'slow', ...request.queries };
      return collectMetrics(prometheus, { ...request, queries, ...changes }, new AbortController().signal, world.clock);
    }

    it('is an error to be tried again at first', async () => {
      await expect(collect({ rules })).rejects.toMatchObject({ code: 'PROMETHEUS_FAULT', retryable: true });
    });

    it('is what was answered when it was tried often enough: the rest is named with its reason, and the document is incomplete', async () => {
      const document = await collect({ rules, partial: true });

      expect(document).toMatchObject({ outcome: 'samples', complete: false });
      expect(document.series.map(({ query }) => query)).toEqual(['cpu']);
      expect(document.skipped).toEqual(
        ['heavy', 'rule odd', 'totals'].map((query) => ({ query, reason: 'answered 503: query timed out' })),
      );
    });

    it('is an error, however often it was tried, when none is answered', async () => {
      await expect(collect({ partial: true }, () => true)).rejects.toMatchObject({ retryable: true });
    });
  });

  it('names the rate that found too few samples, beside others that did', async () => {
    const world = scripted({ nowMs: END_MS + 86_400_000, scrapes: { firstMs: START_MS, everyMs: 1000 } });
    const prometheus = {
      ...world.prometheus,
      queryRange: (query: string, range: QueryRange) =>
        query.startsWith('own') ? world.prometheus.queryRange(query, range) : Promise.resolve([]),
      query: (query: string, signal?: AbortSignal, atMs?: number) =>
        query.includes('absent') ? Promise.resolve([]) : world.prometheus.query(query, signal, atMs),
    };
    const queries = {
      own: 'own{{selector}}',
      slow: 'rate(slow_total{{selector}}[{interval}])',
      above: 'slow_total{{selector}} > 5',
      absent: 'rate(absent_total{{selector}}[{interval}])',
    };

    const document = await collectMetrics(
      prometheus,
      { ...request, queries },
      new AbortController().signal,
      world.clock,
    );

    expect(document.skipped).toEqual([
      {
        query: 'slow',
        reason:
          'found nothing, although Prometheus has samples of slow_total{machine="hf-1"}: too few for a rate over 5s',
      },
    ]);
  });

  it('has sums and the rule presets of our own metrics, whatever label the queries go by', async () => {
    const world = scripted({ nowMs: END_MS + 86_400_000, scrapes: { firstMs: START_MS, everyMs: 1000 } });
    const selector = { name: 'vm', value: 'vm-hf-1' };
    const rules = toRules([{ preset: 'cpu_pegged', longerThan: 1000 }]);

    await run(world, { selector, queries: { memory: 'container_memory{{selector}}' }, rules });

    const [scrape, rule, totals] = world.looks.map(({ query }) => query);
    expect(scrape).toBe('container_memory_working_set_bytes{vm="vm-hf-1"}[240s]');
    expect(rule).toContain('holdfast_machine_cpu_seconds_total{machine="hf-1"}');
    expect(totals).toContain('{__name__=~"holdfast_machine_.+_total",machine="hf-1"}');
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
