import { setTimeout as delay } from 'node:timers/promises';

/** Time, as an argument. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Rejects with the signal's reason, as an `AbortError`, when it fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/**
 * The time as it must be at least: a clock that is behind, or is set back meanwhile (by an hour, when a machine's time is corrected),
 * goes on from the last time that is known to be true.
 * @param sinceMs a moment that has passed, by another machine's clock
 */
export function neverBefore(clock: Pick<Clock, 'now'>, sinceMs: number): () => number {
  let behindMs = 0;
  let lastMs = sinceMs;
  return () => {
    const nowMs = clock.now() + behindMs;
    if (nowMs < lastMs) behindMs += lastMs - nowMs;
    lastMs = Math.max(lastMs, nowMs);
    return lastMs;
  };
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
};
