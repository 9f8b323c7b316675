/**
 * How old leftovers are. What the engine says of their making is compared with this host's clock, which may be an hour wrong; so it
 * counts as well for how long they have been seen, by a clock that nobody sets.
 */
export interface Ages {
  /** What is not asked for between two of these is forgotten. */
  nextSweep(): void;
  /** @param madeAtMs Unix time; absent: only seeing counts */
  isOver(id: string, ms: number, madeAtMs?: number): boolean;
}

/** @param clocks.wall Unix milliseconds @param clocks.steady does not jump */
export function createAges(clocks: { wall: () => number; steady: () => number }): Ages {
  let before = new Map<string, number>();
  let seenSince = new Map<string, number>();
  return {
    nextSweep() {
      before = seenSince;
      seenSince = new Map();
    },
    isOver(id, ms, madeAtMs = NaN) {
      const since = seenSince.get(id) ?? before.get(id) ?? clocks.steady();
      seenSince.set(id, since);
      return clocks.wall() - madeAtMs > ms || clocks.steady() - since >= ms;
    },
  };
}
