import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { neverBefore } from './clock.js';

/** A clock that shows these times, one after another. */
function clockOf(...timesMs: number[]) {
  return { now: () => timesMs.shift() ?? NaN };
}

describe('a clock that may be wrong', () => {
  it('is believed while it goes on', () => {
    const now = neverBefore(clockOf(1000, 1500, 2500), 900);

    expect([now(), now(), now()]).toEqual([1000, 1500, 2500]);
  });

  it('that is behind begins at the moment that is known to have passed, and goes on from there', () => {
    const now = neverBefore(clockOf(0, 500), 3_600_000);

    expect([now(), now()]).toEqual([3_600_000, 3_600_500]);
  });

  it('that is set back by an hour goes on from where it was', () => {
    const now = neverBefore(clockOf(10_000_000, 10_000_000 - 3_600_000, 10_000_200 - 3_600_000), 0);

    expect([now(), now(), now()]).toEqual([10_000_000, 10_000_000, 10_000_200]);
  });

  it('never goes back, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 2 }), fc.integer(), (timesMs, sinceMs) => {
        const now = neverBefore(clockOf(...timesMs), sinceMs);
        let lastMs = sinceMs;
        for (let count = 0; count < timesMs.length; count++) {
          const nowMs = now();
          expect(nowMs).toBeGreaterThanOrEqual(lastMs);
          lastMs = nowMs;
        }
      }),
    );
  });
});
