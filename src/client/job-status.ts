import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { CiJobResult, JobStatus } from '../contracts/ci-job.js';
import { DEFAULT_POOL, STATUS_QUERY } from '../contracts/names.js';
import { closedResult } from './closed-result.js';
import { JobNotFoundError } from './errors.js';
import { toSummary, type JobSummary } from './job-list.js';
import { guarded } from './reach.js';

const STATUS_TIMEOUT_MS = 5_000;

/** @throws JobNotFoundError, UnreachableError */
export async function readStatus(temporal: Client, workflowId: string, address: string): Promise<JobStatus> {
  const workflow = temporal.workflow.getHandle(workflowId);
  const withDeadline = <T>(work: () => Promise<T>) => temporal.withDeadline(Date.now() + STATUS_TIMEOUT_MS, work);
  const description = await guarded(() => withDeadline(() => workflow.describe()), address).catch((error: unknown) => {
    throw error instanceof WorkflowNotFoundError
      ? new JobNotFoundError(`There is no job ${workflowId}`, { cause: error })
      : error;
  });
  try {
    return await withDeadline(() => workflow.query<JobStatus>(STATUS_QUERY));
  } catch {
    // No worker to answer, or a job that never came to a status: what Temporal itself knows.
    const summary = toSummary(description);
    if (description.status.name !== 'FAILED') return statusFromSummary(summary);
    return statusOfFailed(summary, await guarded(() => closedResult(temporal, workflowId), address));
  }
}

function statusOfFailed(summary: JobSummary, { failureReason, failureMessage }: CiJobResult): JobStatus {
  const refused = failureReason === 'runner_unsupported';
  return {
    ...statusFromSummary(summary),
    summary: refused ? 'The job was refused before anything was made.' : 'The workflow failed.',
    failureReason,
    failureMessage,
  };
}

function statusFromSummary(summary: JobSummary): JobStatus {
  return {
    id: summary.id,
    workflowId: summary.workflowId,
    name: summary.name ?? summary.id,
    project: summary.project ?? '',
    pool: summary.pool ?? DEFAULT_POOL,
    summary: 'No worker answered; this is what Temporal itself knows.',
    state: summary.state,
    failureReason: summary.failureReason as JobStatus['failureReason'],
    failureMessage: null,
    exitCode: null,
    allowedToFail: false,
    metrics: summary.metrics ?? 'none',
    metricsReason: null,
    machine: summary.machine,
    engine: null,
    image: null,
    queuedAt: summary.queuedAt,
    startedAt: null,
    finishedAt: summary.finishedAt,
    heldUntil: null,
    traceBytes: 0,
    attempts: 0,
    steps: [],
    artifacts: [],
  };
}
