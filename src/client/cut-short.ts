import type { JobStatus, StepStatus } from '../contracts/ci-job.js';
import { isFinalJobState } from '../contracts/names.js';
import type { ForeignEnd } from './closed-result.js';
import { withoutTheirWorkflow } from './job-summary.js';
import { withMetrics } from './with-metrics.js';

/** Whether a closed workflow still tells of something as going on. */
export function isCutShort({ state, metrics, heldUntil }: JobStatus): boolean {
  return !isFinalJobState(state) || metrics === 'pending' || heldUntil !== null;
}

const UNCOLLECTED = 'its workflow was ended before they were collected';

/**
 * The status of a job whose workflow was ended from outside: what it says of itself stands still at that moment, and nothing of it
 * goes on.
 * @param status as the workflow tells it, or whoever knows most of it
 */
export function statusOfCutShort(
  status: JobStatus,
  { end, closedAt, traceBytes }: { end: ForeignEnd; closedAt: string | null; traceBytes: number },
): JobStatus {
  const told =
    status.metrics === 'pending' ? withMetrics(status, withoutTheirWorkflow(status.state), UNCOLLECTED) : status;
  const over: JobStatus = {
    ...told,
    heldUntil: null,
    steps: status.steps.map((step) => overStep(step, end.state, closedAt)),
  };
  // What was decided stands.
  if (isFinalJobState(status.state)) return over;
  const summary = status.unknownKey === undefined ? describeEnd(end) : status.summary;
  return { ...over, ...end, summary, finishedAt: closedAt, traceBytes };
}

function describeEnd({ failureReason, failureMessage }: ForeignEnd): string {
  if (failureReason === 'runner_unsupported') return 'The job was refused before anything was made.';
  return `The job did not come to its own end: ${failureMessage ?? 'its workflow was ended from outside'}.`;
}

function overStep(step: StepStatus, end: ForeignEnd['state'], closedAt: string | null): StepStatus {
  if (step.state === 'pending') return { ...step, state: 'skipped' };
  if (step.state !== 'running') return step;
  return { ...step, state: end === 'failed' ? 'failed' : 'canceled', finishedAt: closedAt };
}
