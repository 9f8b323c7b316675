import { WorkflowFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { CiJobResult } from '../contracts/ci-job.js';

/** The end of a workflow that has closed; one that failed never came to a status of its own. */
export async function closedResult(temporal: Client, workflowId: string): Promise<CiJobResult> {
  const handle = temporal.workflow.getHandle(workflowId);
  try {
    return (await handle.result()) as CiJobResult;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    const canceled = cause instanceof CancelledFailure;
    const refused = cause instanceof ApplicationFailure && cause.type === 'INVALID_JOB';
    const reason = refused ? 'runner_unsupported' : 'runner_system_failure';
    return {
      workflowId,
      state: canceled ? 'canceled' : 'failed',
      failureReason: canceled ? 'job_canceled' : reason,
      failureMessage: (cause ?? error).message,
      exitCode: null,
      allowedToFail: false,
      metrics: 'none',
      traceBytes: 0,
    };
  }
}
