import { Context } from '@temporalio/activity';

/**
 * Aborts when the activity's time is over. Precise, where Temporal's own timers and timeouts take a second at least; and nobody has to be
 * told: a cancellation arrives with a heartbeat.
 * @param untilMs by the clock of Temporal's server, as the workflow knows it: of it also comes the time at which this attempt was given
 *   out, so that no clock of a worker's host counts. Absent: never
 */
export function timeLimit(untilMs: number | undefined): AbortSignal {
  if (untilMs === undefined) return new AbortController().signal;
  return AbortSignal.timeout(Math.max(1, untilMs - Context.current().info.currentAttemptScheduledTimestampMs));
}
