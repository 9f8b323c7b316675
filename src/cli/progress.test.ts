import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createProgress, progressLine } from './progress.js';

describe('progress', () => {
  it('keeps to the width of the terminal, or the line would break and not be written over', () => {
    fc.assert(
      fc.property(
        fc.nat(2000),
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 200 }),
        (done, total, columns) => {
          expect(progressLine(done, total, 'stored 1, failed 2', columns).length).toBeLessThan(columns);
        },
      ),
    );
    expect(progressLine(50, 100, 'stored 50', 80)).toBe(`${'█'.repeat(12)}${'·'.repeat(12)}  50 of 100  stored 50`);
  });

  it('is written over on a terminal, and taken away at the end', () => {
    const written: string[] = [];
    const progress = createProgress({ isTTY: true, columns: 80, write: (text) => written.push(text) }, 2);
    progress.update(1, 'stored 1');
    progress.end();

    expect(written[0]).toMatch(/^\r.*1 of 2 {2}stored 1\u001b\[K$/);
    expect(written[1]).toBe('\r\u001b[K');
  });

  it('is silent where nobody looks', () => {
    const written: string[] = [];
    createProgress({ write: (text) => written.push(text) }, 2).update(1, '');

    expect(written).toEqual([]);
  });
});
