import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completeBeginning, findBeginnings, toCurves, withBeginnings, type Curve } from './beginning.js';
import { MACHINE_START_TIME } from './machine-start.js';
import type { PrometheusClient, Series } from './prometheus-client.js';
import { HOLDFAST_QUERIES } from './queries.js';
import { alignToEnd, chooseResolution } from './range.js';

const CPU = 'holdfast_machine_cpu_seconds_total';

function seriesOf(name: string, values: Series['values'], labels: Record<string, string> = {}): Series {
  return { labels: { __name__: name, machine: 'hf-1', instance: 'w:9252', job: 'holdfast', ...labels }, values };
}

/** A machine that was there from second 100 and was scraped at 103, 108, 113, … while it burned a core. */
function burning(scrapes: number): Series[] {
  const times = Array.from({ length: scrapes }, (_, at) => 103 + 5 * at);
  return [
    seriesOf(
      MACHINE_START_TIME,
      times.map((time) => [time, '100']),
    ),
    seriesOf(
      CPU,
      times.map((time) => [time, String(time - 100)]),
    ),
  ];
}

function curveOf(series: Series[]): Curve {
  const curve = toCurves(series).get(CPU);
  if (curve === undefined) throw new Error('There is no curve');
  return curve;
}

const area = (values: readonly [number, string][], stepMs: number) =>
  (values.reduce((sum, [, value]) => sum + Number(value), 0) * stepMs) / 1000;

describe('the beginning of a graph', () => {
  it('tells what was used before the first scrape, in the step before it', () => {
    const window = { startMs: 98_000, endMs: 115_500 };
    const resolution = chooseResolution(17_500, 5000, 5000);
    const range = alignToEnd(window, resolution.stepMs);

    const { values, untilMs } = completeBeginning([[115.5, '1']], curveOf(burning(3)), range, resolution);

    // The machine lived for three of the five seconds before the first scrape.
    expect(values).toEqual([
      [105.5, '0.6'],
      [110.5, '1'],
      [115.5, '1'],
    ]);
    expect(untilMs).toBe(110_500);
  });

  it('is never higher than the machine was, however late Prometheus found it', () => {
    const late = burning(6).map((series) => ({ ...series, values: series.values.slice(3) }));
    const resolution = chooseResolution(32_500, 5000, 5000);
    const range = alignToEnd({ startMs: 98_000, endMs: 130_500 }, resolution.stepMs);

    const { values } = completeBeginning([], curveOf(late), range, resolution);

    expect(Math.max(...values.map(([, value]) => Number(value)))).toBeLessThanOrEqual(1.000001);
    expect(area(values, resolution.stepMs)).toBeCloseTo(23, 6);
  });

  it('and what Prometheus tells of the rest have the area of all that was used, whatever the rhythm', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 4000 }), { minLength: 2, maxLength: 12 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 30_000 }),
        (increases, scrapeSeconds, scrapesAStep, ageMs) => {
          const scrapeMs = scrapeSeconds * 1000;
          const startMs = 1_000_000;
          const points = increases.map((_, at): [number, number] => [
            startMs + ageMs + at * scrapeMs,
            increases.slice(0, at + 1).reduce((sum, increase) => sum + increase, 0),
          ]);
          const [lastMs, used] = points.at(-1) ?? [0, 0];
          const stepMs = scrapesAStep * scrapeMs;
          const intervalMs = Math.max(stepMs, 2 * scrapeMs);
          const endMs = lastMs + (intervalMs - stepMs) / 2;
          const range = alignToEnd({ startMs: startMs - 2 * stepMs, endMs }, stepMs);
          const rates = ratesOf(points, range, { stepMs, intervalMs });

          const curve: Curve = { labels: {}, points: [[startMs, 0], ...points] };
          const { values } = completeBeginning(rates, curve, range, { stepMs, intervalMs });

          expect(area(values, stepMs)).toBeCloseTo(used, 3);
          expect(values.map(([time]) => time)).toEqual(values.map(([time]) => time).sort((a, b) => a - b));
        },
      ),
    );
  });

  it('is unknown where the first scrape was another page’s, or clocks disagree', () => {
    const [start, counter] = burning(2);
    if (start === undefined || counter === undefined) throw new Error('There are no series');

    expect(toCurves([counter]).size).toBe(0);
    expect(toCurves([{ ...start, labels: { ...start.labels, instance: 'other' } }, counter]).size).toBe(0);
    expect(toCurves([{ ...start, values: start.values.slice(1) }, counter]).size).toBe(0);
    expect(toCurves([{ ...start, values: start.values.map(([time]) => [time, '200']) }, counter]).size).toBe(0);
  });

  it('goes on over a worker’s restart, whose counters begin at 0', () => {
    const restarted: [number, string][] = [
      [103, '3'],
      [108, '1'],
    ];

    expect(curveOf([burning(2)[0]!, seriesOf(CPU, restarted)]).points).toEqual([
      [100_000, 0],
      [103_000, 3],
      [108_000, 4],
    ]);
  });

  it('makes the graph of a machine that was scraped once, and leaves alone what is not ours', () => {
    const curves = toCurves(burning(1));
    const queries = { cpu: HOLDFAST_QUERIES['cpu'] ?? '', own: `rate(${CPU}{{selector}}[{interval}])` };
    const resolution = chooseResolution(5000, 5000);
    const range = alignToEnd({ startMs: 98_000, endMs: 103_000 }, 5000);

    expect(withBeginnings([], queries, curves, range, resolution)).toEqual({
      series: [{ query: 'cpu', labels: { machine: 'hf-1' }, values: [[103, '0.6']] }],
      computedUntilMs: 103_000,
    });
  });
});

describe('the question for it', () => {
  const asked = async (changes: { endMs?: number; readyAtMs?: number; queries?: Record<string, string> }) => {
    const questions: string[] = [];
    const prometheus = {
      query: (query: string, _signal: unknown, atMs?: number) => {
        questions.push(`${query} at ${String(atMs)}`);
        return Promise.resolve(burning(2));
      },
    } as unknown as PrometheusClient;
    const request = {
      selector: { name: 'machine', value: 'hf-1' },
      queries: changes.queries ?? HOLDFAST_QUERIES,
      window: { startMs: 98_000, endMs: changes.endMs ?? 4_000_000 },
      readyAtMs: changes.readyAtMs ?? 99_500,
    };
    const found = await findBeginnings(
      prometheus,
      request,
      { stepMs: 5000, intervalMs: 10_000 },
      new AbortController().signal,
    );
    return { questions, found: [...found.keys()] };
  };

  it('is of a machine’s first minute, whatever the length of its job', async () => {
    expect(await asked({})).toEqual({
      questions: [`{__name__=~"holdfast_machine_.+_total|${MACHINE_START_TIME}",machine="hf-1"}[62s] at 159500`],
      found: [CPU],
    });
    expect((await asked({ endMs: 110_000 })).questions[0]).toMatch(/\[12s\] at 110000$/);
  });

  it.each([{ queries: { up: 'up{{selector}}' } }, { readyAtMs: 3_900_000 }])(
    'is not put in vain: %j',
    async (changes) => {
      expect((await asked(changes)).questions).toEqual([]);
    },
  );
});

/** As Prometheus tells it where two samples or more are in the interval. */
function ratesOf(
  points: readonly [number, number][],
  { startMs, endMs }: { startMs: number; endMs: number },
  { stepMs, intervalMs }: { stepMs: number; intervalMs: number },
): [number, string][] {
  const rates: [number, string][] = [];
  const used = (atMs: number) => {
    const after = points.findIndex(([timeMs]) => timeMs >= atMs);
    const [timeMs, sum] = points[after === -1 ? points.length - 1 : after] ?? [0, 0];
    const [beforeMs, before] = points[after - 1] ?? [timeMs, sum];
    return after < 1 ? sum : before + ((sum - before) * (atMs - beforeMs)) / (timeMs - beforeMs);
  };
  for (let atMs = startMs; atMs <= endMs; atMs += stepMs) {
    const inside = points.filter(([timeMs]) => timeMs > atMs - intervalMs && timeMs <= atMs);
    const toMs = atMs - (intervalMs - stepMs) / 2;
    if (inside.length > 1) rates.push([atMs / 1000, String(((used(toMs) - used(toMs - stepMs)) * 1000) / stepMs)]);
  }
  return rates;
}
