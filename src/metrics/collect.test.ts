import { describe, expect, it } from 'vitest';
import { END_MS, request, run, scripted, START_MS } from '../../test/support/prometheus/scripted.js';
import { collectMetrics, type CollectRequest } from './collect.js';
import { PrometheusError } from './errors.js';
import type { QueryRange } from './range.js';
import { toRules } from './rules.js';

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

      expect(document).toMatchObject({ outcome: 'samples', complete: false, missing: ['answers'] });
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
