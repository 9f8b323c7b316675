import { WorkflowFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import type { CiJobResult } from '../contracts/ci-job.js';

/** Of a workflow that has closed without a result of its own: what Temporal says of its end. */
export type ForeignEnd = Pick<CiJobResult, 'state' | 'failureReason' | 'failureMessage'>;

/** How a workflow that has closed came to its end. @param runId default: of its last run */
export async function readEnd(
  temporal: Client,
  workflowId: string,
  runId?: string,
): Promise<{ result: CiJobResult } | { end: ForeignEnd }> {
  const handle = temporal.workflow.getHandle(workflowId, runId, { followRuns: false });
  try {
    return { result: (await handle.result()) as CiJobResult };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    return { end: endOf(error.cause ?? error) };
  }
}

function endOf(cause: Error): ForeignEnd {
  if (cause instanceof CancelledFailure)
    return { state: 'canceled', failureReason: 'job_canceled', failureMessage: cause.message };
  if (cause instanceof TerminatedFailure)
    return {
      state: 'canceled',
      failureReason: 'job_canceled',
      failureMessage: `its workflow was terminated from outside (${cause.message})`,
    };
  const refused = cause instanceof ApplicationFailure && cause.type === 'INVALID_JOB';
  return {
    state: 'failed',
    failureReason: refused ? 'runner_unsupported' : 'runner_system_failure',
    failureMessage: cause.message,
  };
}
