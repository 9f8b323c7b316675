import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlightEntry } from '../contracts/job-life.js';
import { mergeFlight, parseFlight } from './flight-entries.js';

function failed(attempt: number, code: string, worker = 'w'): FlightEntry {
  const atMs = attempt * 1000;
  return {
    first: attempt,
    last: attempt,
    startedAtMs: atMs,
    endedAtMs: atMs + 500,
    worker,
    failure: { code, message: code },
  };
}

describe('the attempts that are kept of an activity', () => {
  it('joins failures in a row for the same reason', () => {
    const entries = [failed(1, 'A'), failed(2, 'A'), failed(3, 'B'), failed(4, 'A')].reduce<FlightEntry[]>(
      mergeFlight,
      [],
    );

    expect(entries.map(({ first, last, failure }) => [first, last, failure?.code])).toEqual([
      [1, 2, 'A'],
      [3, 3, 'B'],
      [4, 4, 'A'],
    ]);
    expect(entries[0]).toMatchObject({ startedAtMs: 1000, endedAtMs: 2500 });
  });

  it('replaces the begin of an attempt by its end, and keeps one that never ended', () => {
    const begun = (attempt: number) => ({ first: attempt, last: attempt, startedAtMs: attempt, worker: 'w' });

    const entries = [begun(2), failed(2, 'A'), begun(3), begun(4)].reduce<FlightEntry[]>(mergeFlight, []);

    expect(entries.map(({ first, failure }) => [first, failure?.code])).toEqual([
      [2, 'A'],
      [3, undefined],
      [4, undefined],
    ]);
  });

  it('counts troubles apart from the ends of attempts', () => {
    const trouble = { ...failed(1, 'COORDINATOR_AWAY'), troubles: 1 };

    const entries = [trouble, trouble, failed(1, 'HANDED_OVER')].reduce<FlightEntry[]>(mergeFlight, []);

    expect(entries.map(({ failure, troubles }) => [failure?.code, troubles])).toEqual([
      ['COORDINATOR_AWAY', 2],
      ['HANDED_OVER', undefined],
    ]);
  });

  it('stays small however much goes wrong, and keeps the first and the last', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('A', 'B', 'C'), { minLength: 1, maxLength: 300 }), (codes) => {
        const entries = codes.map((code, index) => failed(index + 1, code)).reduce<FlightEntry[]>(mergeFlight, []);

        expect(entries.length).toBeLessThanOrEqual(40);
        expect(entries[0]?.first).toBe(1);
        expect(entries.at(-1)?.last).toBe(codes.length);
      }),
    );
  });

  it('reads what it has written, and nothing from what is not its own', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('A', 'B'), { maxLength: 10 }), fc.string(), (codes, junk) => {
        const entries = codes.map((code, index) => failed(index + 1, code));

        expect(parseFlight(Buffer.from(JSON.stringify(entries)))).toEqual(entries);
        expect(parseFlight(Buffer.from(`[${JSON.stringify(junk)}, null, {}]`))).toEqual([]);
        expect(parseFlight(Buffer.from(`${junk}{`))).toEqual([]);
      }),
    );
  });
});
