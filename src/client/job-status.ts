import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { CiJobResult, JobStatus } from '../contracts/ci-job.js';
import { CI_JOB_WORKFLOW, DEFAULT_POOL } from '../contracts/names.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import { askStatus } from './ask-status.js';
import { closedResult } from './closed-result.js';
import { JobNotFoundError } from './errors.js';
import { toSummary, type JobSummary } from './job-list.js';
import { looking } from './looking.js';
import { guarded } from './reach.js';

const STATUS_TIMEOUT_MS = 5_000;

/** A closed job is in the store, too: its version's last worker may be gone for good. */
const CLOSED_STATUS_TIMEOUT_MS = 1_500;

export interface StatusSources {
  temporal: Client;
  store: Store;
  /** Temporal's, for messages. */
  address: string;
}

/** @throws JobNotFoundError, UnreachableError */
export async function readStatus(sources: StatusSources, workflowId: string): Promise<JobStatus> {
  const { temporal, store, address } = sources;
  const workflow = temporal.workflow.getHandle(workflowId);
  const within = <T>(ms: number, work: () => Promise<T>) => temporal.withDeadline(Date.now() + ms, work);
  const description = await guarded(
    () => within(STATUS_TIMEOUT_MS, () => looking(temporal).workflow.getHandle(workflowId).describe()),
    address,
  ).catch((error: unknown) => {
    throw error instanceof WorkflowNotFoundError
      ? new JobNotFoundError(`There is no job ${workflowId}`, { cause: error })
      : error;
  });
  if (description.type !== CI_JOB_WORKFLOW) throw new JobNotFoundError(`There is no job ${workflowId}`);
  try {
    const patienceMs = description.status.name === 'RUNNING' ? STATUS_TIMEOUT_MS : CLOSED_STATUS_TIMEOUT_MS;
    return await within(patienceMs, () => askStatus(workflow));
  } catch {
    // No worker to answer, or a job that never came to a status: what Temporal itself knows.
    const summary = toSummary(description);
    const kept = await readKeptStatus(store, workflowId);
    if (kept !== undefined) return { ...kept, metrics: summary.metrics ?? kept.metrics };
    if (description.status.name !== 'FAILED') return statusFromSummary(summary);
    return statusOfFailed(summary, await guarded(() => closedResult(temporal, workflowId), address));
  }
}

/** As it was when the final status was decided; only the metrics may have changed since. */
async function readKeptStatus(store: Store, workflowId: string): Promise<JobStatus | undefined> {
  const kept = await store.read(jobKeys.status(workflowId)).catch(() => undefined);
  return kept === undefined ? undefined : (JSON.parse(kept.toString('utf8')) as JobStatus);
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
  const { unknownKey } = summary;
  return {
    id: summary.id,
    workflowId: summary.workflowId,
    name: summary.name ?? summary.id,
    project: summary.project ?? '',
    pool: summary.pool ?? DEFAULT_POOL,
    summary:
      unknownKey === undefined
        ? 'No worker answered; this is what Temporal itself knows.'
        : `Its content is sealed with key "${unknownKey}", which is not in the key file: add that key's line to the file of encryption.keyFile, here and for every worker.`,
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
    ...(unknownKey === undefined ? {} : { unknownKey }),
  };
}
