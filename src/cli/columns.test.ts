import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inColumns } from './columns.js';

describe('a table in columns', () => {
  it('gives each column the width of its widest cell', () => {
    expect(
      inColumns([
        ['A', 'LONG', 'C'],
        ['12345', 'x', 'end'],
        ['', '', ''],
      ]),
    ).toBe('A      LONG  C\n12345  x     end\n');
  });

  it('lets no cell steer the terminal or begin a line', () => {
    expect(inColumns([['A'], ['\u001b[2Jgone\nROW']])).toBe('A\n [2Jgone ROW');
  });

  it('begins every cell of a column at the same place, and leaves no spaces at the end', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 6 }), (rows) => {
        const lines = inColumns(rows).split('\n');
        expect(lines).toHaveLength(rows.length);
        for (const column of [0, 1, 2]) {
          const begin = [0, 1, 2].slice(0, column).reduce((at, left) => at + 2 + widest(rows, left), 0);
          rows.forEach((row, at) => {
            expect(lines[at]?.slice(begin, begin + (row[column]?.length ?? 0))).toBe(row[column]);
          });
        }
        for (const line of lines) expect(line).toBe(line.trimEnd());
      }),
    );
  });
});

function widest(rows: readonly (readonly string[])[], column: number): number {
  return Math.max(...rows.map((row) => row[column]?.length ?? 0));
}
