import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { toActivityFailure } from './failure.js';
import { createOwnership, overslept, type Ownership } from './ownership.js';

/** Well below the heartbeat timeout of `workflows/activity-stubs.ts` (8 s). */
const BEAT_MS = 2_000;

export interface Lifecycle {
  /** Aborts when this process stops and leaves its work to another. */
  handover: AbortSignal;
  /** The process was paused until a moment ago: a task that begins now may have been given to another long since. */
  pausedJustNow(givenOutAtMs: number): boolean;
  /** Heartbeats may have been lost since that time of the clock below, for so long that activities were given away. Absent: never. */
  cutOffSince?: (atMs: number) => boolean;
  /** A clock that goes on while the process is paused, in milliseconds, and does not jump. Absent: the process's own. */
  steadyNow?: () => number;
}

/**
 * Run an activity's work with heartbeats and with one signal that aborts on cancellation, on hand-over and after a
 * pause in which the activity was given to another worker.
 * @param work `owner` is for what must not be done once more by whoever was overtaken
 * @param details where a next delivery may go on; kept by the server with the last heartbeat
 * @throws ApplicationFailure always of our own making: see `toActivityFailure`. On hand-over a retryable one, so that the server
 *   gives the activity to the next worker at once.
 */
export async function beating<T>(
  lifecycle: Lifecycle,
  work: (signal: AbortSignal, owner: Ownership) => Promise<T>,
  details?: () => unknown,
): Promise<T> {
  const context = Context.current();
  if (lifecycle.pausedJustNow(context.info.currentAttemptScheduledTimestampMs)) throw overslept();
  const owner = createOwnership(lifecycle.steadyNow, lifecycle.cutOffSince);
  const timer = setInterval(() => {
    owner.beat();
    if (!owner.signal.aborted) context.heartbeat(details?.());
  }, BEAT_MS);
  try {
    return await work(AbortSignal.any([context.cancellationSignal, lifecycle.handover, owner.signal]), owner);
  } catch (error) {
    if (lifecycle.handover.aborted) throw handedOver();
    if (owner.signal.aborted) throw toActivityFailure(owner.signal.reason);
    // Cancellation outranks its fallout: whatever the transport threw after the abort, the activity was cancelled.
    if (context.cancellationSignal.aborted) await context.cancelled;
    throw toActivityFailure(error);
  } finally {
    clearInterval(timer);
  }
}

function handedOver(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'HANDED_OVER',
    message: 'This worker is stopping; another one goes on from here',
    nonRetryable: false,
    nextRetryDelay: '100ms',
    category: 'BENIGN',
  });
}
