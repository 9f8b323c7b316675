import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlightEntry } from '../../contracts/job-life.js';
import { attemptsOf, troublesOf, type AttemptFacts } from './attempts.js';

function facts(count: number, previous: AttemptFacts['previous'] = null): AttemptFacts {
  return {
    count,
    last: { startedAt: 'T', finishedAt: 'T', worker: 'now', outcome: 'completed', failure: null },
    previous,
  };
}

function entry(first: number, last: number, code?: string): FlightEntry {
  const failure = code === undefined ? {} : { endedAtMs: last + 1, failure: { code, message: code } };
  return { first, last, startedAtMs: first, worker: 'before', ...failure };
}

describe('the attempts of an activity', () => {
  it('are one where nothing went wrong', () => {
    expect(attemptsOf(facts(1), [])).toEqual([{ first: 1, last: 1, ...facts(1).last }]);
  });

  it('are none before a worker has taken it', () => {
    expect(attemptsOf(facts(0), [])).toEqual([]);
  });

  it('show a worker that is gone where an attempt has left no word', () => {
    const [first, second] = attemptsOf(facts(2), []);

    expect(first).toMatchObject({ outcome: 'failed', failure: { code: 'WORKER_LOST', fault: 'runner' } });
    expect(second).toMatchObject({ first: 2, outcome: 'completed' });
  });

  it('say what a worker has kept rather than what Temporal guesses', () => {
    const guess = { code: 'WORKER_LOST', message: '', fault: 'runner' } as const;

    expect(attemptsOf(facts(2, guess), [entry(1, 1, 'ENGINE_UNREACHABLE')])[0]?.failure).toMatchObject({
      code: 'ENGINE_UNREACHABLE',
      fault: 'provider',
    });
    expect(attemptsOf(facts(2, { ...guess, code: 'TIME_LIMIT' }), [])[0]?.failure?.code).toBe('TIME_LIMIT');
  });

  it('cover every number exactly once, whatever was kept', () => {
    const kept = fc.array(
      fc
        .tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 9 }), fc.constantFrom('A', 'B', undefined))
        .map(([first, more, code]) => entry(first, first + more, code)),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 25 }), kept, (count, flight) => {
        const numbers = attemptsOf(facts(count), flight).flatMap(({ first, last }) =>
          Array.from({ length: last - first + 1 }, (_, index) => first + index),
        );

        expect(numbers).toEqual(Array.from({ length: count }, (_, index) => index + 1));
      }),
    );
  });

  it('leave troubles apart', () => {
    const flight = [{ ...entry(1, 1, 'COORDINATOR_AWAY'), troubles: 4 }];

    expect(attemptsOf(facts(1), flight)).toHaveLength(1);
    expect(troublesOf(flight)).toMatchObject([{ code: 'COORDINATOR_AWAY', fault: 'coordinator', times: 4 }]);
  });
});
