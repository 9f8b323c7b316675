const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

/** Failures in a row of one kind, and how long to leave an engine alone that has too many. */
export interface FailureStreak {
  /** @returns how many in a row when these are too many, else undefined */
  failed(): number | undefined;
  /** It works: whatever was held against it is forgotten. */
  succeeded(): void;
  /** The engine was taken out for this, a probe went well, and it may try again. */
  back(): void;
  /** How long until it is probed; longer every time. */
  nextPauseMs(): number;
}

export interface StreakOptions {
  /** Failures in a row that are too many; 0: none ever are. */
  limit: number;
  /**
   * False: a probe cannot see what is wrong, so it proves nothing. Until there is a success, the first failure after a probe is one too
   * many, and the pauses go on where they were.
   */
  probeProves: boolean;
  firstPauseMs?: number | undefined;
}

export function createFailureStreak({
  limit,
  probeProves,
  firstPauseMs = FIRST_PAUSE_MS,
}: StreakOptions): FailureStreak {
  let inARow = 0;
  let onProbation = false;
  let pauseMs = firstPauseMs;

  function forget(): void {
    inARow = 0;
    onProbation = false;
    pauseMs = firstPauseMs;
  }

  return {
    failed() {
      inARow += 1;
      if (limit === 0 || inARow < (onProbation ? 1 : limit)) return undefined;
      return inARow;
    },
    succeeded: forget,
    back() {
      if (probeProves) {
        forget();
        return;
      }
      inARow = 0;
      onProbation = true;
    },
    nextPauseMs() {
      const now = pauseMs;
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      return now;
    },
  };
}
