import { CancellationScope, condition, sleep } from '@temporalio/workflow';
import type { Interruption } from './outcome.js';

/** Everything that can end a job from outside, in one place: cancellation, the coordinator, the clock. */
export interface Interruptions {
  /** The first one stands, unless a later one ends more: a cancel outranks the clock, and a coordinator that has given up the job a cancel. */
  interrupt(interruption: Interruption): void;
  /** @param ofKind only if it is one of these */
  current(ofKind?: (interruption: Interruption) => boolean): Interruption | undefined;
  /** The cancel that ever came, whatever became of it: a canceled job does not begin again. */
  canceled(): Interruption | undefined;
  /** A durable timer for all steps on one machine. */
  startJobTimer(limitMs: number): void;
  /** That it has run out counts for that machine alone: the next one has its own time. */
  stopJobTimer(): void;
  /**
   * Wait for work, or for the first interruption (of those that end it), or for the limit of this piece of work alone.
   * @returns the interruption that came first, or undefined when the work did
   */
  guard(
    work: Promise<unknown>,
    by?: { limit?: Limit; endedBy?: (interruption: Interruption) => boolean },
  ): Promise<Interruption | undefined>;
  /** Forget a graceful end, so that after_script is guarded only by its own limit and by what comes after. */
  settle(): void;
}

export interface Limit {
  ms: number;
  /** As what its end counts. */
  interruption: Interruption;
  /** What it limits, for people who look at the workflow's timers. */
  summary?: string;
}

export function watchInterruptions(): Interruptions {
  let current: Interruption | undefined;
  let canceled: Interruption | undefined;
  let timer: CancellationScope | undefined;

  function interrupt(interruption: Interruption): void {
    if (interruption.kind === 'cancel') canceled ??= interruption;
    if (current === undefined || rankOf(interruption) > rankOf(current)) current = interruption;
  }

  function currentOf(ofKind: (interruption: Interruption) => boolean = () => true): Interruption | undefined {
    return current !== undefined && ofKind(current) ? current : undefined;
  }

  // Ordinary workflow cancellation (`holdfast cancel`, Temporal UI) arrives here and nowhere else: the job's own code runs
  // non-cancellable, so that after_script, uploads and the release are not torn down by it.
  CancellationScope.current().cancelRequested.catch(() => {
    interrupt({ kind: 'cancel', message: 'canceled', graceful: true });
  });

  return {
    interrupt,
    current: currentOf,
    canceled: () => canceled,
    startJobTimer(limitMs) {
      timer = new CancellationScope();
      void timer
        .run(() => sleep(limitMs, { summary: 'time limit of the job' }))
        .then(
          () => interrupt({ kind: 'job_timeout', limitMs }),
          () => undefined, // cancelled below: the job was in time
        );
    },
    stopJobTimer() {
      timer?.cancel();
      timer = undefined;
      if (current?.kind === 'job_timeout') current = undefined;
    },
    async guard(work, { limit, endedBy } = {}) {
      const scope = new CancellationScope();
      let limitHit: Interruption | undefined;
      let done = false;
      const finished = work.then(
        () => (done = true),
        () => (done = true),
      );
      if (limit !== undefined) {
        void scope
          .run(() => sleep(limit.ms, { summary: limit.summary ?? 'time limit of the script' }))
          .then(
            () => (limitHit = limit.interruption),
            () => undefined,
          );
      }
      await Promise.race([
        finished,
        condition(() => currentOf(endedBy) !== undefined || limitHit !== undefined || done),
      ]);
      scope.cancel();
      return done ? undefined : (currentOf(endedBy) ?? limitHit);
    },
    settle() {
      current = undefined;
    },
  };
}

function rankOf(interruption: Interruption): number {
  if (interruption.kind !== 'cancel') return 0;
  return interruption.graceful ? 1 : 2;
}
