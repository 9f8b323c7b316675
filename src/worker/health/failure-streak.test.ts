import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFailureStreak } from './failure-streak.js';

describe('failures in a row', () => {
  it('are too many exactly when there were so many since the last success', () => {
    const happenings = fc.array(fc.boolean(), { maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), happenings, (limit, successes) => {
        const streak = createFailureStreak({ limit, probeProves: true });
        let inARow = 0;
        for (const success of successes) {
          if (success) {
            streak.succeeded();
            inARow = 0;
            continue;
          }
          inARow += 1;
          expect(streak.failed()).toBe(inARow >= limit ? inARow : undefined);
        }
      }),
    );
  });

  it('are followed by ever longer pauses, up to five minutes, until the probe proves that it is well', () => {
    const streak = createFailureStreak({ limit: 1, probeProves: true, firstPauseMs: 100_000 });

    expect([1, 2, 3, 4].map(() => streak.nextPauseMs())).toEqual([100_000, 200_000, 300_000, 300_000]);
    streak.back();
    expect(streak.nextPauseMs()).toBe(100_000);
  });

  it('go on after a probe that proves nothing, until there is a success', () => {
    const streak = createFailureStreak({ limit: 3, probeProves: false, firstPauseMs: 1 });
    for (let count = 0; count < 3; count++) streak.failed();
    expect(streak.nextPauseMs()).toBe(1);
    streak.back();

    expect(streak.failed()).toBe(1);
    expect(streak.nextPauseMs()).toBe(2);
    streak.back();
    streak.succeeded();

    expect([streak.failed(), streak.failed(), streak.failed()]).toEqual([undefined, undefined, 3]);
    expect(streak.nextPauseMs()).toBe(1);
  });
});
