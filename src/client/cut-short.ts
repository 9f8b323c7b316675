import type { JobStatus, StepStatus } from '../contracts/ci-job.js';
import { isFinalJobState } from '../contracts/names.js';
import type { ForeignEnd } from './closed-result.js';

/** Whether a closed workflow still tells of something as going on. */
export function isCutShort({ state, metrics, heldUntil }: JobStatus): boolean {
  return !isFinalJobState(state) || metrics === 'pending' || heldUntil !== null;
}

/**
 * The status of a job whose workflow was ended from outside: what it says of itself stands still at that moment, and nothing of it
 * goes on.
 * @param status as the workflow tells it
 */
export function statusOfCutShort(
  status: JobStatus,
  { end, closedAt, traceBytes }: { end: ForeignEnd; closedAt: string | null; traceBytes: number },
): JobStatus {
  const isPending = status.metrics === 'pending';
  const over: JobStatus = {
    ...status,
    metrics: isPending ? 'none' : status.metrics,
    metricsReason: isPending ? 'its workflow was ended before they were collected' : status.metricsReason,
    heldUntil: null,
    steps: status.steps.map((step) => overStep(step, closedAt)),
  };
  // Its final status stands, and was told.
  if (isFinalJobState(status.state)) return over;
  return {
    ...over,
    ...end,
    summary: `The job did not come to its own end: ${end.failureMessage ?? 'its workflow was ended from outside'}.`,
    finishedAt: closedAt,
    traceBytes,
  };
}

function overStep(step: StepStatus, closedAt: string | null): StepStatus {
  if (step.state === 'pending') return { ...step, state: 'skipped' };
  return step.state === 'running' ? { ...step, state: 'canceled', finishedAt: closedAt } : step;
}
