import { describe, expect, it } from 'vitest';
import { metricsDocument } from '../../../../test/support/metrics-fixtures.js';
import { plotDataOf, scaleOf } from './plot-data.js';

const DOCUMENT = metricsDocument({
  queries: { threads: 't', files: 'f' },
  series: [1, 2, 3, 4, 5].flatMap((at) =>
    ['threads', 'files'].map((query) => ({
      query,
      labels: { thread: String(at) },
      values: [[5, String(at)]] as [number, string][],
    })),
  ),
  aggregates: { threads: 'max' },
});

describe('plotDataOf', () => {
  it('names the aggregate that it draws, the query’s own where it has one', () => {
    expect(plotDataOf(DOCUMENT, 'threads').series).toEqual([{ label: 'max of 5', values: [5] }]);
    expect(plotDataOf(DOCUMENT, 'files').series).toEqual([{ label: 'sum of 5', values: [15] }]);
  });
});

describe('scaleOf', () => {
  it('has room for what is below zero, and begins at zero else', () => {
    const scale = (min: number | null, max: number | null) => scaleOf(min, max).map((value) => Math.round(value));

    expect(scale(2, 100)).toEqual([0, 115]);
    expect(scale(-20, 100)).toEqual([-23, 115]);
    expect(scale(-20, -5)).toEqual([-23, 0]);
    expect(scale(0, 0)).toEqual([0, 1]);
    expect(scale(null, null)).toEqual([0, 1]);
  });
});
