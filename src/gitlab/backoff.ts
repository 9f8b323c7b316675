/** Delays that grow and are spread, so that many runners do not come back to a recovering server in step. */
export interface Backoff {
  /** @returns how long to wait after one more failure: the server's own wish, if it had one, else the next step, jittered by half */
  next(wishMs?: number): number;
  reset(): void;
}

export function createBackoff(options: { firstMs: number; maxMs: number; random: () => number }): Backoff {
  let step = 0;
  return {
    next(wishMs) {
      // The power is bounded by itself: 2 ** 1024 is Infinity, and Infinity is capped.
      const fullMs = Math.min(options.maxMs, options.firstMs * 2 ** step);
      step += 1;
      const jitteredMs = fullMs * (0.5 + options.random() / 2);
      // A wish is a lower bound: spread above it.
      return wishMs === undefined ? jitteredMs : wishMs + jitteredMs / 4;
    },
    reset() {
      step = 0;
    },
  };
}
