/** So many lost machines are remembered. */
const REMEMBERED = 1_000;

/** Which losses of machines have a cause of their own: an engine that restarts takes all its machines at once, and has failed once. */
export interface LossCauses {
  /**
   * @param stepAgeMs how long ago the workflow asked for the step that was lost
   * @returns whether this is a new cause: the step was asked for after the last one had shown
   */
  isNew(machine: string, stepAgeMs: number): boolean;
  /** Whatever was asked for until now has the last cause. */
  settle(): void;
}

/** @param now a clock that does not jump, in milliseconds */
export function createLossCauses(now: () => number): LossCauses {
  const lost = new Set<string>();
  let shownAtMs = -Infinity;

  /** Later steps of a lost machine (after_script) are lost with it. */
  function firstLossOf(machine: string): boolean {
    if (lost.has(machine)) return false;
    lost.add(machine);
    const [oldest] = lost;
    if (lost.size > REMEMBERED && oldest !== undefined) lost.delete(oldest);
    return true;
  }

  return {
    isNew(machine, stepAgeMs) {
      const askedAtMs = now() - stepAgeMs;
      if (!firstLossOf(machine) || askedAtMs <= shownAtMs) return false;
      shownAtMs = now();
      return true;
    },
    settle() {
      shownAtMs = now();
    },
  };
}
