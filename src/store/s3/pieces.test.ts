import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cover, endOf, parsePiece, pieceName, withoutPiece, type Piece } from './pieces.js';

describe('pieces of a growing object', () => {
  it('are named by offset and length, and sort by offset', () => {
    const names = [pieceName('jobs/a/trace', 1000, 5), pieceName('jobs/a/trace', 99, 17)].sort();

    expect(names.map((name) => parsePiece('jobs/a/trace', name))).toEqual([
      { name: names[0], start: 99, end: 116 },
      { name: names[1], start: 1000, end: 1005 },
    ]);
    expect(names.map(withoutPiece)).toEqual(['jobs/a/trace', 'jobs/a/trace']);
  });

  it.each(['jobs/a/trace', 'jobs/a/trace/!x', 'jobs/a/trace/!1-2', 'other/!0000000000000000-1'])(
    'are not what merely looks alike: %s',
    (name) => {
      expect(parsePiece('jobs/a/trace', name)).toBeUndefined();
    },
  );

  it('give back any range of what was written, up to the first gap, however they overlap', () => {
    const pieces = fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 20 })), { maxLength: 25 });
    fc.assert(
      fc.property(pieces, fc.nat(80), fc.nat(80), (list, from, length) => {
        const found: Piece[] = list.map(([start, bytes]) => ({
          name: pieceName('o', start, bytes),
          start,
          end: start + bytes,
        }));
        const there = new Set(
          found.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)),
        );
        let end = 0;
        while (there.has(end)) end++;

        expect(endOf(found)).toBe(end);
        const wanted = Array.from({ length }, (_, i) => from + i).filter((at) => at < end);
        const given = cover(found, { start: from, end: from + length }).flatMap((slice) => {
          const piece = found.find(({ name }) => name === slice.name);
          return Array.from({ length: slice.end - slice.start }, (_, i) => (piece?.start ?? NaN) + slice.start + i);
        });
        expect(given).toEqual(wanted);
      }),
    );
  });
});
