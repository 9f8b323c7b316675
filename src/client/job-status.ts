import { WorkflowNotFoundError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import type { JobStatus } from '../contracts/ci-job.js';
import { CI_JOB_WORKFLOW, DEFAULT_POOL, isFinalJobState } from '../contracts/names.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import { askStatus } from './ask-status.js';
import { readEnd } from './closed-result.js';
import { isCutShort, statusOfCutShort } from './cut-short.js';
import { JobNotFoundError } from './errors.js';
import { toldBy, toSummary, type JobSummary } from './job-summary.js';
import { looking } from './looking.js';
import { guarded } from './reach.js';
import { withMetrics } from './with-metrics.js';

const STATUS_TIMEOUT_MS = 5_000;

/** A job that has come to its own end is in the store, too: its version's last worker may be gone for good. One ended from outside is not. */
const CLOSED_STATUS_TIMEOUT_MS = 1_500;

/** Names of Temporal's. */
const ENDED_FROM_OUTSIDE = ['FAILED', 'TERMINATED', 'TIMED_OUT'];

export interface StatusSources {
  temporal: Client;
  store: Store;
  /** Temporal's, for messages. */
  address: string;
}

/** @throws JobNotFoundError, UnreachableError */
export async function readStatus(sources: StatusSources, workflowId: string): Promise<JobStatus> {
  const { temporal, store, address } = sources;
  const description = await describeJob(sources, workflowId);
  const status = await lastWord(sources, description);
  if (!isEndedFromOutside(description) || !isCutShort(status)) return status;
  const closed = await guarded(
    () => temporal.withDeadline(Date.now() + STATUS_TIMEOUT_MS, () => readEnd(temporal, workflowId, description.runId)),
    address,
  );
  if ('result' in closed) return status;
  return statusOfCutShort(status, {
    end: closed.end,
    closedAt: toSummary(description).finishedAt,
    traceBytes: await traceBytesOf(store, workflowId, status.traceBytes),
  });
}

async function describeJob(
  { temporal, address }: StatusSources,
  workflowId: string,
): Promise<WorkflowExecutionDescription> {
  const described = await guarded(
    () =>
      temporal.withDeadline(Date.now() + STATUS_TIMEOUT_MS, () =>
        looking(temporal).workflow.getHandle(workflowId).describe(),
      ),
    address,
  ).catch((error: unknown) => {
    throw error instanceof WorkflowNotFoundError
      ? new JobNotFoundError(`There is no job ${workflowId}`, { cause: error })
      : error;
  });
  if (described.type !== CI_JOB_WORKFLOW) throw new JobNotFoundError(`There is no job ${workflowId}`);
  return described;
}

function isEndedFromOutside({ status }: WorkflowExecutionDescription): boolean {
  return ENDED_FROM_OUTSIDE.includes(status.name);
}

/** What its workflow says; or what was kept when its end was decided; or what Temporal itself knows. */
async function lastWord(
  { temporal, store }: StatusSources,
  description: WorkflowExecutionDescription,
): Promise<JobStatus> {
  const { workflowId } = description;
  const isKept = description.status.name !== 'RUNNING' && !isEndedFromOutside(description);
  const deadline = Date.now() + (isKept ? CLOSED_STATUS_TIMEOUT_MS : STATUS_TIMEOUT_MS);
  const told = await temporal
    .withDeadline(deadline, () => askStatus(temporal.workflow.getHandle(workflowId)))
    .catch(() => undefined); // no worker to answer, or a job that never came to a status
  if (told !== undefined) return told;
  const kept = await readKeptStatus(store, description);
  return kept ?? { ...statusFromTemporal(description), traceBytes: await traceBytesOf(store, workflowId, 0) };
}

/** As it was when the final status was decided; only the metrics may have changed since. */
async function readKeptStatus(store: Store, description: WorkflowExecutionDescription): Promise<JobStatus | undefined> {
  const { state, metrics } = toldBy(description);
  // It is kept a moment before the workflow says so; one that was ended in between has told nobody.
  if (isEndedFromOutside(description) && !isFinalJobState(state)) return undefined;
  const kept = await store.read(jobKeys.status(description.workflowId)).catch(() => undefined);
  if (kept === undefined) return undefined;
  const status = JSON.parse(kept.toString('utf8')) as JobStatus;
  // Of an upload it says that more is to come.
  const holds = metrics === null || (metrics === status.metrics && metrics !== 'uploaded');
  return holds ? status : withMetrics(status, metrics, null);
}

/** @param known when the store is away, or has none */
async function traceBytesOf(store: Store, workflowId: string, known: number): Promise<number> {
  return (await store.size(jobKeys.trace(workflowId)).catch(() => undefined)) ?? known;
}

/** Not yet as the end from outside leaves it. */
function statusFromTemporal(description: WorkflowExecutionDescription): JobStatus {
  const status = statusFromSummary(toSummary(description));
  if (!isEndedFromOutside(description)) return status;
  const told = toldBy(description);
  // A workflow that failed says why by its failure alone: the problems of an input that was refused, say.
  const state = description.status.name === 'FAILED' ? 'pending' : (told.state ?? 'pending');
  return { ...status, state, metrics: told.metrics ?? 'none' };
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
