import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differences, percentile, ratios, rounded, summarize } from './statistics.js';

const numbers = fc.array(
  fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => value + 0),
  { minLength: 1, maxLength: 60 },
);

describe('percentile', () => {
  it('is the value itself where a rank falls on one, and lies between two otherwise', () => {
    expect(percentile([3, 1, 2], 50)).toBe(2);
    expect(percentile([1, 2], 50)).toBe(1.5);
    expect(percentile([10, 20, 30, 40, 50], 95)).toBeCloseTo(48);
  });

  it('is the least at 0, the greatest at 100, and never falls between', () => {
    fc.assert(
      fc.property(numbers, fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }), (values, a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        expect(percentile(values, 0)).toBe(Math.min(...values));
        expect(percentile(values, 100)).toBe(Math.max(...values));
        expect(percentile(values, low)).toBeLessThanOrEqual(percentile(values, high));
      }),
    );
  });

  it('does not depend on the order, and does not change the list', () => {
    const values = [5, 1, 4];
    expect(percentile(values, 50)).toBe(percentile([4, 5, 1], 50));
    expect(values).toEqual([5, 1, 4]);
  });
});

describe('summarize', () => {
  it('holds its median between the least and the greatest', () => {
    fc.assert(
      fc.property(numbers, (values) => {
        const { min, median, max, count } = summarize(values);
        expect(min).toBeLessThanOrEqual(median);
        expect(median).toBeLessThanOrEqual(max);
        expect(count).toBe(values.length);
      }),
    );
  });

  it('says nothing of a 95th percentile of a few values', () => {
    expect(summarize([1, 2, 3]).p95).toBeUndefined();
    expect(summarize(Array.from({ length: 101 }, (_, index) => index)).p95).toBe(95);
  });

  it('refuses an empty list', () => {
    expect(() => summarize([])).toThrow('No values');
  });
});

describe('comparisons', () => {
  it('compare round by round', () => {
    expect(ratios([2, 9], [1, 3])).toEqual([2, 3]);
    expect(differences([2, 9], [1, 3])).toEqual([1, 6]);
  });

  it('refuse lists of different rounds', () => {
    expect(() => ratios([1], [1, 2])).toThrow('same rounds');
  });
});

it('rounds to four digits', () => {
  expect(rounded(1234.567)).toBe(1235);
  expect(rounded(0.00123456)).toBe(0.001235);
});
