import { describe, expect, it } from 'vitest';
import type { PlannedFault } from './plan.js';
import { standstillsOf } from './standstill.js';

const killed: PlannedFault = { part: 'worker', kind: 'killed', awayMs: 0 };
const s = (...seconds: number[]) => seconds.map((second) => second * 1000);
const from = (fault: PlannedFault, begin: number, end: number) => ({ fault, from: begin * 1000, to: end * 1000 });

describe('a standstill of a trace', () => {
  it('is told where nothing was broken', () => {
    expect(standstillsOf(s(0, 1, 26), [])).toEqual([
      'the trace stood still for 25.0 s; for 25.0 s of them nothing was broken',
    ]);
    expect(standstillsOf(s(0, 1, 20), [])).toEqual([]);
    expect(standstillsOf([], [])).toEqual([]);
  });

  it('is excused while something was broken, and a moment after', () => {
    expect(standstillsOf(s(0, 40), [from(killed, 5, 20)])).toEqual([]);
    expect(standstillsOf(s(0, 52), [from(killed, 5, 20)])).toHaveLength(1);
    // Twice the same time does not count twice.
    expect(standstillsOf(s(0, 52), [from(killed, 5, 20), from(killed, 6, 19)])).toHaveLength(1);
    expect(standstillsOf(s(0, 500), [from(killed, 5, Infinity)])).toEqual([]);
  });

  it('is not excused by what no trace waits for', () => {
    const upload: PlannedFault = {
      part: 'coordinator',
      kind: 'answers',
      endpoint: 'upload',
      action: { kind: 'reset' },
      times: 3,
    };
    expect(standstillsOf(s(0, 30), [from({ part: 'prometheus', kind: 'killed', awayMs: 1 }, 0, 30)])).toHaveLength(1);
    expect(standstillsOf(s(0, 30), [from(upload, 0, 30)])).toHaveLength(1);
  });
});
