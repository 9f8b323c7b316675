import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRowMap } from './row-map.js';
import { createScrollMap } from './scroll-map.js';

const ranges = fc.array(
  fc.tuple(fc.nat(60), fc.nat(20)).map(([start, length]) => ({ start, end: start + length })),
  { maxLength: 8 },
);

describe('rows', () => {
  it('are the lines that no closed section hides, in their order', () => {
    fc.assert(
      fc.property(fc.nat(70), ranges, (lines, hidden) => {
        const shown = Array.from({ length: lines }, (_, line) => line).filter(
          (line) => !hidden.some(({ start, end }) => start <= line && line < end),
        );
        const map = createRowMap(lines, hidden);

        expect(map.rows).toBe(shown.length);
        expect(shown.map((_, row) => map.lineOf(row))).toEqual(shown);
        expect(shown.map((line) => map.rowOf(line))).toEqual(shown.map((_, row) => row));
      }),
    );
  });

  it('of a hidden line is that of the title above it', () => {
    expect(createRowMap(10, [{ start: 3, end: 8 }]).rowOf(5)).toBe(2);
    expect(createRowMap(10, [{ start: 3, end: Infinity }]).rows).toBe(3);
  });
});

describe('scrolling', () => {
  it('reaches the first and the last row, also where all rows are higher than an element can be', () => {
    for (const rows of [1, 1_000, 399_999, 400_001, 10_000_000]) {
      const map = createScrollMap(rows, 20, 600);
      const end = Math.max(0, map.height - 600);

      expect(map.height).toBeLessThanOrEqual(8_000_000);
      expect(map.rowAt(0)).toBe(0);
      expect(map.rowAt(end) * 20 + Math.min(600, rows * 20)).toBeCloseTo(rows * 20, 1);
      // The row at the upper edge stands at the upper edge.
      expect(map.topOf(map.rowAt(end / 2), end / 2)).toBeCloseTo(end / 2, 3);
    }
  });

  it('to a row brings it to the upper edge', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: 5_000_000 }), fc.nat(900), (rows, row) => {
        const map = createScrollMap(rows, 20, 600);
        expect(map.rowAt(map.scrollTo(row))).toBeCloseTo(row, 3);
      }),
    );
  });
});
