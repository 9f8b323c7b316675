import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { metricsDocument } from '../../test/support/metrics-fixtures.js';
import { toColumns } from './block-chart.js';
import type { MetricsDocument } from './document.js';
import { renderMetrics } from './terminal-chart.js';
import { formatBytes } from './units.js';

const T0 = 1_700_000_000;

function documentOf(changes: Partial<MetricsDocument> = {}): MetricsDocument {
  return metricsDocument({
    window: { startMs: T0 * 1000, endMs: (T0 + 20) * 1000 },
    stages: [
      { name: 'get_sources', startedAtMs: T0 * 1000, finishedAtMs: (T0 + 5) * 1000 },
      { name: 'step_script', startedAtMs: (T0 + 5) * 1000, finishedAtMs: (T0 + 20) * 1000 },
    ],
    queries: { cpu: 'c', memory: 'm' },
    series: [
      {
        query: 'cpu',
        labels: {},
        values: [
          [T0 + 5, '0'],
          [T0 + 10, '1'],
          [T0 + 15, '2'],
          [T0 + 20, '1'],
        ],
      },
      { query: 'memory', labels: { container: 'a' }, values: [[T0 + 20, '1048576']] },
      { query: 'memory', labels: { container: 'b' }, values: [[T0 + 20, '2097152']] },
    ],
    ...changes,
  });
}

const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;

describe('renderMetrics', () => {
  it('tells peak and mean of each query in human units, several series made one', () => {
    const text = renderMetrics(documentOf(), { width: 80, tty: false });

    expect(text).toContain('cpu: peak 2.00 cores, mean 1.00 cores\n');
    expect(text).toContain('memory: peak 3.0 MiB, mean 3.0 MiB\n');
    expect(text).toContain('  get_sources 5.0 s\n  step_script 15.0 s\n');
  });

  it('tells the sums where the counters are known, and for which part of the time there are samples', () => {
    const totals = { cpuSeconds: 12.34, networkReceiveBytes: 2048 };
    const text = renderMetrics(documentOf({ totals, coverage: 0.42 }), { width: 80, tty: false });

    expect(text).toContain('cpu: peak 2.00 cores, mean 1.00 cores, total 12.3 CPU seconds\n');
    expect(text).toContain('Prometheus has samples for 42 % of the time.\n');
    expect(renderMetrics(documentOf({ coverage: 0.95 }), { width: 80, tty: false })).not.toContain('Prometheus');
  });

  it('tells what is missing at the end, here or in the copy of GitLab', () => {
    const render = (changes: Partial<MetricsDocument>) => renderMetrics(documentOf(changes), { width: 80, tty: false });

    expect(render({ complete: false, missing: ['last_scrape'] })).toContain('Up to the last scrape before the end');
    expect(render({ complete: false, missing: ['answers'] })).not.toContain('scrape');
    expect(render({ complete: false, missing: ['answers'] })).toContain('has not answered every question');
    expect(render({ complete: false })).toContain('Something that a replay may bring');
    expect(render({ uploadedUntilMs: (T0 + 16) * 1000 })).toContain("GitLab's artifact ends 4.0 s earlier");
    expect(render({ uploadedUntilMs: (T0 + 20) * 1000 })).not.toContain('GitLab');
  });

  it('draws nothing but text without a terminal', () => {
    expect(renderMetrics(documentOf(), { width: 80, tty: false, color: false })).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it('draws to one axis of time: the graph and the stages end in the same column', () => {
    const text = renderMetrics(documentOf(), { width: 54, tty: true });

    expect(text).toMatchInlineSnapshot(`
      "cpu: peak 2.00 cores, mean 1.00 cores
        2.00 cores ┤                    ██████████
                   │                    ██████████
                   │                    ██████████
                   │          ██████████████████████████████
                   │          ██████████████████████████████
        0.00 cores ┤▁▁▁▁▁▁▁▁▁▁██████████████████████████████

      memory: peak 3.0 MiB, mean 3.0 MiB
           3.0 MiB ┤                              ██████████
                   │                              ██████████
                   │                              ██████████
                   │                              ██████████
                   │                              ██████████
               0 B ┤                              ██████████

      stages
                    ━━━━━━━━━━ get_sources 5.0 s
           step_script 15.0 s ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
      "
    `);
  });

  it('keeps to the width of the terminal', () => {
    const words = fc.string({ maxLength: 60 });
    const query = fc.constantFrom('cpu', 'a_query_of_their_own_with_a_long_name');
    fc.assert(
      fc.property(fc.integer({ min: 24, max: 200 }), query, words, words, (width, name, reason, stage) => {
        const { series, stages } = documentOf();
        const document = documentOf({
          totals: { cpuSeconds: 1234.5, networkReceiveBytes: 1 },
          coverage: 0.4,
          complete: false,
          missing: ['last_scrape', 'answers'],
          queries: { [name]: 'q' },
          series: series.map((each) => ({ ...each, query: name })),
          stages: [...stages, { name: `${stage} of a stage`, startedAtMs: T0 * 1000, finishedAtMs: (T0 + 9) * 1000 }],
          skipped: [{ query: 'disk', reason: `parse error ${reason}` }],
        });
        for (const each of [document, { ...document, outcome: 'no_samples' as const }]) {
          const lines = renderMetrics(each, { width, tty: true }).split('\n');

          expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(width);
        }
      }),
    );
  });

  it('loses no word by keeping to it', () => {
    const flat = (text: string) => text.replaceAll(/\s+/g, ' ');
    const narrow = renderMetrics(documentOf({ coverage: 0.4 }), { width: 30, tty: true });

    expect(flat(narrow)).toContain('cpu: peak 2.00 cores, mean 1.00 cores');
    expect(flat(narrow)).toContain('Prometheus has samples for 40 % of the time.');
  });

  it('draws no picture where there is no room for one', () => {
    const text = renderMetrics(documentOf(), { width: 20, tty: true });

    expect(text).toBe(renderMetrics(documentOf(), { width: 20, tty: false }));
  });

  it('shows what is below zero', () => {
    const values = [
      [T0 + 5, '-4'],
      [T0 + 10, '-2'],
      [T0 + 20, '-1'],
    ] as [number, string][];
    const series = [{ query: 'delta', labels: {}, values }];
    const document = documentOf({ queries: { delta: 'd' }, series, stages: [] });

    expect(renderMetrics(document, { width: 54, tty: true })).toMatchInlineSnapshot(`
      "delta: peak -1, mean -2.333
                 0 ┤
                   │                              ▄▄▄▄▄▄▄▄▄▄
                   │                              ██████████
                   │          ██████████          ██████████
                   │          ██████████          ██████████
                -4 ┤▁▁▁▁▁▁▁▁▁▁██████████          ██████████
      "
    `);
  });

  it('colours only when asked to', () => {
    expect(renderMetrics(documentOf(), { width: 80, tty: true })).not.toMatch(CONTROL);
    expect(renderMetrics(documentOf(), { width: 80, tty: true, color: true })).toContain('\u001b[36m');
  });

  it('shows only the queries that are asked for', () => {
    expect(renderMetrics(documentOf(), { width: 80, tty: true }, ['memory'])).not.toContain('cpu');
  });

  it('says why there is no graph, and which machine', () => {
    const text = renderMetrics(documentOf({ outcome: 'no_samples', series: [] }), { width: 80, tty: true });

    expect(text).toMatch(/^Prometheus has no samples of machine hf-1: /);
  });

  it("does not let a server's words steer the terminal", () => {
    const skipped = [{ query: 'bad\u001b[2J', reason: 'answered 400: \u001b]0;owned\u0007\r\nfaked line' }];

    const text = renderMetrics(documentOf({ skipped }), { width: 80, tty: true });

    expect(text).not.toMatch(CONTROL);
    expect(text).toContain('was skipped: answered 400:');
  });

  it('survives values that are no numbers', () => {
    const series = [
      {
        query: 'cpu',
        labels: {},
        values: [
          [T0 + 5, 'NaN'],
          [T0 + 10, '+Inf'],
        ] as [number, string][],
      },
    ];

    expect(renderMetrics(documentOf({ series }), { width: 80, tty: true })).toContain('cpu: no finite values');
  });
});

describe('toColumns', () => {
  it('loses no peak, invents no value and shows a gap as a gap', () => {
    const points = fc.array(fc.record({ atMs: fc.integer({ min: 0, max: 100_000 }), value: fc.integer() }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(points, fc.integer({ min: 1, max: 120 }), (given, columns) => {
        const drawn = toColumns(given, { startMs: 0, endMs: 100_000 }, { columns, stepMs: 1000 });

        expect(drawn).toHaveLength(columns);
        const measured = drawn.filter((value) => value !== undefined);
        expect(Math.max(...measured)).toBe(Math.max(...given.map(({ value }) => value)));
        for (const value of measured) expect(given.map((point) => point.value)).toContain(value);
      }),
    );
    expect(
      toColumns(
        [
          { atMs: 1000, value: 1 },
          { atMs: 4000, value: 2 },
        ],
        { startMs: 0, endMs: 4000 },
        { columns: 4, stepMs: 1000 },
      ),
    ).toEqual([1, undefined, undefined, 2]);
  });
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [5 * 1024 ** 5, '5120.0 TiB'],
  ])('writes %d as %s', (value, text) => {
    expect(formatBytes(value)).toBe(text);
  });
});
