import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { toActivityFailure } from './failure.js';

/** Well below the heartbeat timeout of `workflows/activity-stubs.ts` (8 s). */
const BEAT_MS = 2_000;

/** `handover` aborts when this process stops and leaves its work to another. */
export interface Lifecycle {
  handover: AbortSignal;
}

/**
 * Run an activity's work with heartbeats and with one signal that aborts on cancellation and on hand-over.
 * @param details where a next delivery may go on; kept by the server with the last heartbeat
 * @throws ApplicationFailure always of our own making: see `toActivityFailure`. On hand-over a retryable one, so that the server
 *   gives the activity to the next worker at once.
 */
export async function beating<T>(
  lifecycle: Lifecycle,
  work: (signal: AbortSignal) => Promise<T>,
  details?: () => unknown,
): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(details?.()), BEAT_MS);
  try {
    return await work(AbortSignal.any([context.cancellationSignal, lifecycle.handover]));
  } catch (error) {
    if (lifecycle.handover.aborted) throw handedOver();
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
