import type { Logger } from '../telemetry/logger.js';

/**
 * The times of a stop. After SIGTERM, and after the last job of a drain, the process is gone within 10 s (docs/operations.md), whatever
 * Temporal, GitLab, the store or an engine do meanwhile.
 */
export const STOP_MS = {
  /** For what GitLab is just handing over: an answer on the wire, and then its way into a workflow; each so long at the most. */
  sources: 4_000,
  /** The same in a drain, which nothing hurries: longer than a GitLab holds a request as a rule. */
  drainedSources: 80_000,
  /** For sweeps and warm sandboxes: on a healthy engine half a second. What stays is the next worker's. */
  housekeeping: 3_000,
  /** From the hand-over to the end of the process, all of the above in it. The rest of the 10 s is for a busy machine. */
  all: 8_000,
};

/** The end of a process that is to stop, though something does not let it. */
export interface StopDeadline {
  /** The time runs from the first call. */
  begin(): void;
  /** What is being ended now, for the log. */
  doing(what: string): void;
  /**
   * Serves and closes, but not beyond the time. To end then is as safe as kill -9, which any moment must bear: what runs is on the
   * engines, what was said is in the store, and Temporal gives the rest to another worker.
   * @throws whatever ended the serving, also when the closing is not waited for
   */
  bound(serve: () => Promise<void>, close: () => Promise<void>): Promise<void>;
}

export function createStopDeadline(logger: Logger, ms: number = STOP_MS.all): StopDeadline {
  const timers: NodeJS.Timeout[] = [];
  let waitsFor = 'nothing';
  let over: (() => void) | undefined;
  const deadline = new Promise<void>((resolve) => (over = resolve));

  function end(): void {
    logger.warn(
      { waitsFor, afterMs: ms },
      'The stop takes too long: the process ends without it. The next worker goes on with the jobs',
    );
    over?.();
  }

  return {
    begin() {
      if (timers.length === 0) timers.push(setTimeout(end, ms));
    },
    doing(what) {
      waitsFor = what;
    },
    async bound(serve, close) {
      const failures: unknown[] = [];
      const served = serve().catch((error: unknown) => failures.push(error));
      try {
        await Promise.race([served.then(close), deadline]);
      } finally {
        timers.forEach(clearTimeout);
      }
      if (failures.length > 0) throw failures[0] as Error;
    },
  };
}
