import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { JobStatus } from '../contracts/ci-job.js';
import { DEFAULT_POOL, STATUS_QUERY } from '../contracts/names.js';
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
    // No worker to answer: what Temporal itself knows.
    return statusFromSummary(toSummary(description));
  }
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
