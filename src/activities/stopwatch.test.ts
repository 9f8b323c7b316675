import { describe, expect, it } from 'vitest';
import { startStopwatch } from './stopwatch.js';

describe('a stopwatch', () => {
  it('is not misled by a wall clock that is set back by an hour', () => {
    let wallMs = 10_000_000;
    let steadyMs = 5;
    const watch = startStopwatch(0, { wall: () => wallMs, steady: () => steadyMs });

    wallMs -= 3_600_000;
    steadyMs += 1_500.4;

    expect(watch.startedAtMs).toBe(10_000_000);
    expect(watch.nowMs()).toBe(10_001_500);
  });

  it('begins no earlier than what it follows on', () => {
    const watch = startStopwatch(2_000, { wall: () => 1_000, steady: () => 0 });

    expect(watch.startedAtMs).toBe(2_000);
    expect(watch.nowMs()).toBe(2_000);
  });
});
