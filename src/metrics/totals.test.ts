import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PrometheusClient, Series } from './prometheus-client.js';
import { collectTotals, sumUp } from './totals.js';

const CPU = 'holdfast_machine_cpu_seconds_total';
const signal = new AbortController().signal;
const selector = { name: 'machine', value: 'hf-1' };

function counter(values: number[], instance = 'a', name = CPU): Series {
  return { labels: { __name__: name, instance }, values: values.map((value, at) => [at, String(value)]) };
}

function answering(series: Series[]) {
  const asked: string[] = [];
  const prometheus = {
    query: (query: string) => {
      asked.push(query);
      return Promise.resolve(series);
    },
  } as unknown as PrometheusClient;
  return { prometheus, asked };
}

describe('sumUp', () => {
  it('counts what came before the first sample, too', () => {
    expect(sumUp([counter([4, 10])])).toEqual({ cpuSeconds: 10 });
  });

  it('is the sum of all increases, however often the counter was restarted', () => {
    const runs = fc.array(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1 }), { minLength: 1 });
    fc.assert(
      fc.property(runs, (increases) => {
        // Each run counts from 0; its first value is lower than the last one's end, or it would be no restart to see.
        const values = increases.flatMap((run) => [
          0,
          ...run.map((_, at) => run.slice(0, at + 1).reduce((a, b) => a + b)),
        ]);
        const expected = increases.flat().reduce((a, b) => a + b, 0);

        expect(sumUp([counter(values)])).toEqual({ cpuSeconds: expected });
      }),
    );
  });

  it('takes one of several scrapers, not their sum, and keeps out what is none of its counters', () => {
    expect(
      sumUp([counter([1, 5], 'a'), counter([1, 6], 'b'), counter([9], 'a', 'holdfast_machine_odd_total')]),
    ).toEqual({
      cpuSeconds: 6,
    });
  });

  it('is not poisoned by a value that is no number', () => {
    expect(sumUp([counter([1, NaN, 3])])).toEqual({ cpuSeconds: 3 });
  });
});

describe('collectTotals', () => {
  const window = { startMs: 0, endMs: 10_000 };

  it('reads the raw samples of a short job, and thins out those of a long one', async () => {
    const { prometheus, asked } = answering([]);

    expect(await collectTotals(prometheus, { selector, window, scrapeIntervalMs: 1000 }, signal)).toBeUndefined();
    await collectTotals(
      prometheus,
      { selector, window: { startMs: 0, endMs: 86_400_000 }, scrapeIntervalMs: 1000 },
      signal,
    );

    expect(asked[0]).toMatch(/,machine="hf-1"\}\[10s\]$/);
    expect(asked[1]).toMatch(/\[86400s:44s\]$/);
  });

  it('says for which part of the time there are samples', async () => {
    const whole = counter([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const half: Series = { ...whole, values: whole.values.slice(5) };

    const read = async (series: Series[]) =>
      (await collectTotals(answering(series).prometheus, { selector, window, scrapeIntervalMs: 1000 }, signal))
        ?.coverage;

    expect(await read([whole])).toBe(1);
    expect(await read([half])).toBeCloseTo(0.5);
  });

  it('counts gaps by the rhythm of the counters themselves: another exporter may be scraped more often', async () => {
    const values: [number, string][] = Array.from({ length: 5 }, (_, at) => [at * 15, '1']);
    const { prometheus } = answering([{ labels: { __name__: CPU }, values }]);

    const summed = await collectTotals(
      prometheus,
      { selector, window: { startMs: 0, endMs: 60_000 }, scrapeIntervalMs: 1000 },
      signal,
    );

    expect(summed?.coverage).toBe(1);
  });
});
