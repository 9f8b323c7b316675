import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { metricsDocument } from '../../test/support/metrics-fixtures.js';
import { MetricsDocument, toReferee } from './document.js';
import { aggregateSeries, formatValue, parseValue, type Point } from './values.js';

const document = metricsDocument({
  window: { startMs: 1000, endMs: 11_000 },
  stages: [{ name: 'step_script', startedAtMs: 2000, finishedAtMs: 10_000 }],
  queries: { cpu: 'rate(x[5s])', memory: 'y', disk: 'z', broken: '((' },
  series: [
    {
      query: 'cpu',
      labels: { container: 'a' },
      values: [
        [1, '0.25'],
        [6, '0.5'],
      ],
    },
    {
      query: 'cpu',
      labels: { container: 'b' },
      values: [
        [6, '1'],
        [11, 'NaN'],
      ],
    },
    { query: 'memory', labels: {}, values: [[1.5, '1024']] },
  ],
  skipped: [{ query: 'broken', reason: 'parse error' }],
});

describe('toReferee', () => {
  it('makes one list of points of each query, sums several series, keeps an only one as it is', () => {
    expect(toReferee(document)).toEqual({
      cpu: [
        [1, '0.25'],
        [6, '1.5'],
        [11, 'NaN'],
      ],
      memory: [[1.5, '1024']],
      disk: [],
    });
  });

  it('leaves out a query that was refused: nothing is known of it', () => {
    expect(Object.keys(toReferee(document))).not.toContain('broken');
  });

  it.each([
    ['max' as const, '1'],
    ['avg' as const, '0.75'],
  ])('takes the %s where the configuration says so', (aggregate, value) => {
    expect(toReferee({ ...document, aggregate })['cpu']?.[1]).toEqual([6, value]);
  });
});

describe('an aggregate of a single query', () => {
  it('outranks the common one, for that query alone', () => {
    const referee = toReferee({ ...document, aggregates: { cpu: 'max' } });

    expect(referee['cpu']?.[1]).toEqual([6, '1']);
  });
});

describe('the document', () => {
  it('survives being written and read', () => {
    expect(MetricsDocument.parse(JSON.parse(JSON.stringify(document)))).toEqual(document);
  });

  it('is refused when its version is another one', () => {
    expect(MetricsDocument.safeParse({ ...document, version: 2 }).success).toBe(false);
  });
});

describe('values', () => {
  it('reads and writes infinities and NaN as Prometheus does', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        expect(parseValue(formatValue(value))).toBe(value + 0);
      }),
    );
    expect([Infinity, -Infinity, NaN].map(formatValue)).toEqual(['+Inf', '-Inf', 'NaN']);
  });

  it('aggregates to ascending times, each once, and loses none', () => {
    const points = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer().map(String)), {
      selector: ([time]) => time,
    });
    fc.assert(
      fc.property(fc.array(points, { minLength: 2 }), (series: Point[][]) => {
        const times = aggregateSeries(series, 'sum').map(([time]) => time);

        expect(times).toEqual([...new Set(series.flat().map(([time]) => time))].sort((a, b) => a - b));
      }),
    );
  });
});
