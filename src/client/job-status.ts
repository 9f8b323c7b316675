import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { JobStatus } from '../contracts/ci-job.js';
import { CI_JOB_WORKFLOW, DEFAULT_POOL } from '../contracts/names.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import { askStatus } from './ask-status.js';
import { readEnd, type ForeignEnd } from './closed-result.js';
import { isCutShort, statusOfCutShort } from './cut-short.js';
import { JobNotFoundError } from './errors.js';
import { toSummary, type JobSummary } from './job-list.js';
import { looking } from './looking.js';
import { guarded } from './reach.js';

const STATUS_TIMEOUT_MS = 5_000;

/** Names of Temporal's. */
const ENDED_FROM_OUTSIDE = ['FAILED', 'TERMINATED', 'TIMED_OUT'];

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
  const summary = toSummary(description);
  const isOpen = description.status.name === 'RUNNING';
  const told = await within(isOpen ? STATUS_TIMEOUT_MS : CLOSED_STATUS_TIMEOUT_MS, () => askStatus(workflow)).catch(
    () => readKeptStatus(store, workflowId, summary),
  );
  // It has come to its own end, or will.
  if (!ENDED_FROM_OUTSIDE.includes(description.status.name)) return told ?? statusFromSummary(summary);
  if (told !== undefined && !isCutShort(told)) return told;
  const closed = await guarded(() => readEnd(temporal, workflowId), address);
  if (!('end' in closed)) return told ?? statusFromSummary(summary);
  if (told === undefined) return statusOfEnd(summary, closed.end);
  const traceBytes = (await store.size(jobKeys.trace(workflowId)).catch(() => undefined)) ?? told.traceBytes;
  return statusOfCutShort(told, { end: closed.end, closedAt: summary.finishedAt, traceBytes });
}

/** As it was when the final status was decided; only the metrics may have changed since. */
async function readKeptStatus(
  store: Store,
  workflowId: string,
  { metrics }: JobSummary,
): Promise<JobStatus | undefined> {
  const kept = await store.read(jobKeys.status(workflowId)).catch(() => undefined);
  if (kept === undefined) return undefined;
  const status = JSON.parse(kept.toString('utf8')) as JobStatus;
  return { ...status, metrics: metrics ?? status.metrics };
}

/** It never came to say anything of itself, or nobody is left who could ask it. */
function statusOfEnd(summary: JobSummary, end: ForeignEnd): JobStatus {
  const refused = end.failureReason === 'runner_unsupported';
  return {
    ...statusFromSummary(summary),
    ...end,
    summary: refused ? 'The job was refused before anything was made.' : 'Its workflow did not come to its own end.',
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
