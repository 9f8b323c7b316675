import { setTimeout as delay } from 'node:timers/promises';

/** Time and chance as arguments, so that tests need neither to wait nor to be lucky. */
export interface Clock {
  /** Milliseconds; only differences count, and it never goes back. */
  now(): number;
  /** @throws the signal's reason when it aborts */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** 0 to 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
  random: () => Math.random(),
};
