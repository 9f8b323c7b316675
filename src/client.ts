import { randomBytes } from 'node:crypto';
import {
  Client,
  Connection,
  isGrpcServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { resolve } from 'node:path';
import { createKeyFile, loadKeyRing } from './codec/key-ring.js';
import { createPayloadCodec } from './codec/payload-codec.js';
import type { Config } from './config/schema.js';
import { connectionOptions } from './client/connection.js';
import { JobExistsError, JobInvalidError, JobNotFoundError, UnreachableError } from './client/errors.js';
import { listJobs, NAME_MEMO, resolveJobId, type JobFilter, type JobSummary } from './client/job-list.js';
import { readStatus } from './client/job-status.js';
import { guarded, unreachable } from './client/reach.js';
import { followTrace } from './client/trace-follower.js';
import type { CiJobInput, CiJobResult, JobStatus, ReplayMetricsResult } from './contracts/ci-job.js';
import {
  CI_JOB_WORKFLOW,
  jobWorkflowId,
  RELEASE_SIGNAL,
  REPLAY_METRICS_WORKFLOW,
  replayWorkflowId,
  RESULT_UPDATE,
} from './contracts/names.js';
import { parseJobObject } from './job/job-file.js';
import { jobFileToSpec } from './job/to-spec.js';
import { openStore } from './store/open-store.js';
import type { Store } from './store/store.js';

export { JobExistsError, JobInvalidError, JobNotFoundError, UnreachableError };
export type { CiJobInput, CiJobResult, JobFilter, JobStatus, JobSummary, ReplayMetricsResult };

export interface StartOptions {
  /** Last part of the workflow id; default: a short one that sorts by time. */
  id?: string;
  /** Variables that outrank the job file's. */
  variables?: Record<string, string>;
  /** Keep the machine for this long after a failure. */
  holdOnFailureMs?: number;
}

export interface JobHandle {
  readonly id: string;
  readonly workflowId: string;
  /** Returns when the job's final status is decided; metrics may still be on their way. Waits as long as it takes. */
  result(): Promise<CiJobResult>;
  /** Byte for byte. @param options.follow go on until the trace is whole (default) */
  trace(options?: { follow?: boolean; signal?: AbortSignal }): AsyncIterable<Buffer>;
  status(): Promise<JobStatus>;
  /** Ordinary workflow cancellation: after_script still runs. */
  cancel(reason?: string): Promise<void>;
  /** Ends a hold for debugging. */
  release(): Promise<void>;
}

export interface HoldfastClient {
  /**
   * @param job a job file's content
   * @throws JobInvalidError with every problem; JobExistsError when the id was used before; UnreachableError
   */
  startJob(job: unknown, options?: StartOptions): Promise<JobHandle>;
  /** @param id workflow id or its last part */
  job(id: string): Promise<JobHandle>;
  listJobs(filter?: JobFilter): Promise<JobSummary[]>;
  /** Collect and upload a job's metrics again; two callers at once share one upload. */
  replayMetrics(id: string): Promise<ReplayMetricsResult>;
  readonly store: Store;
  readonly temporal: Client;
  close(): Promise<void>;
}

/** How long Temporal may be silent before we say that it is not there. */
const CONNECT_TIMEOUT_MS = 5_000;
/** One wait for an update; the server ends longer ones. */
const RESULT_POLL_MS = 20_000;

/** @throws UnreachableError, KeyRingError, StoreError */
export async function createHoldfastClient(config: Config): Promise<HoldfastClient> {
  const { address, namespace, taskQueue } = config.temporal;
  const connection = await Connection.connect({
    ...connectionOptions(config.temporal),
    connectTimeout: CONNECT_TIMEOUT_MS,
  }).catch((cause: unknown) => {
    throw new UnreachableError(
      `Temporal at ${address} does not answer. Is "holdfast dev" running, or is temporal.address wrong?`,
      { cause },
    );
  });
  const keyFile =
    config.encryption.keyFile ?? ('directory' in config.store ? resolve(config.store.directory, 'key') : undefined);
  if (keyFile === undefined) throw new Error('With an S3 store encryption.keyFile must be set');
  // Client and worker of one machine share the store, and whoever is first makes the key.
  if (config.encryption.keyFile === undefined) await createKeyFile(keyFile);
  const { ring } = await loadKeyRing(keyFile);
  const temporal = new Client({ connection, namespace, dataConverter: { payloadCodecs: [createPayloadCodec(ring)] } });
  const store = await openStore(config.store);

  return {
    store,
    temporal,
    async startJob(job, options = {}) {
      const parsed = parseJobObject(job);
      if (!parsed.ok) throw new JobInvalidError(parsed.problems);
      const spec = jobFileToSpec(parsed.job, options.variables === undefined ? {} : { variables: options.variables });
      const workflowId = jobWorkflowId(options.id ?? newJobId());
      const input: CiJobInput = {
        version: 1,
        spec,
        ...(options.holdOnFailureMs === undefined ? {} : { holdOnFailureMs: options.holdOnFailureMs }),
      };
      try {
        await temporal.workflow.start(CI_JOB_WORKFLOW, {
          workflowId,
          taskQueue,
          args: [input],
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          workflowIdConflictPolicy: 'FAIL',
          staticSummary: spec.name.slice(0, 150),
          memo: { [NAME_MEMO]: spec.name },
          typedSearchAttributes: new TypedSearchAttributes([
            { key: defineSearchAttributeKey('HoldfastJobState', 'KEYWORD'), value: 'pending' },
            { key: defineSearchAttributeKey('HoldfastProject', 'KEYWORD'), value: spec.project },
            { key: defineSearchAttributeKey('HoldfastPool', 'KEYWORD'), value: spec.pool },
            { key: defineSearchAttributeKey('HoldfastMetrics', 'KEYWORD'), value: 'pending' },
          ]),
        });
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) {
          throw new JobExistsError(
            `A job with the id ${workflowId} was started before and is not run twice: choose another id`,
            { cause: error },
          );
        }
        throw unreachable(error, address);
      }
      return createHandle(temporal, store, workflowId, address);
    },
    job: async (id) => createHandle(temporal, store, await guarded(() => resolveJobId(temporal, id), address), address),
    listJobs: (filter) => guarded(() => listJobs(temporal, filter), address),
    async replayMetrics(id) {
      const job = await resolveJobId(temporal, id);
      return await guarded(
        () =>
          temporal.workflow.execute<(input: { version: 1; job: string }) => Promise<ReplayMetricsResult>>(
            REPLAY_METRICS_WORKFLOW,
            {
              workflowId: replayWorkflowId(job),
              taskQueue,
              args: [{ version: 1, job }],
              workflowIdConflictPolicy: 'USE_EXISTING',
              workflowIdReusePolicy: 'ALLOW_DUPLICATE',
            },
          ),
        address,
      );
    },
    close: () => connection.close(),
  };
}

function createHandle(temporal: Client, store: Store, workflowId: string, address: string): JobHandle {
  const workflow = temporal.workflow.getHandle(workflowId);
  // One update for all waits of this handle: asking again attaches to it and adds nothing to the history.
  const updateId = `result-${randomBytes(6).toString('hex')}`;

  async function isClosed(): Promise<boolean> {
    return (await guarded(() => workflow.describe(), address)).status.name !== 'RUNNING';
  }

  return {
    id: workflowId.slice(workflowId.lastIndexOf('/') + 1),
    workflowId,
    async result() {
      for (;;) {
        const decided = await askForResult(temporal, workflowId, updateId);
        if (decided !== undefined) return decided;
        if (await isClosed()) return await closedResult(temporal, workflowId);
      }
    },
    trace: ({ follow = true, signal } = {}) =>
      followTrace(store, workflowId, { follow, isOver: isClosed, ...(signal === undefined ? {} : { signal }) }),
    status: () => readStatus(temporal, workflowId, address),
    async cancel(reason) {
      await guarded(
        () =>
          temporal.workflowService.requestCancelWorkflowExecution({
            namespace: temporal.options.namespace,
            workflowExecution: { workflowId },
            identity: temporal.options.identity,
            requestId: randomBytes(16).toString('hex'),
            reason: reason ?? '',
          }),
        address,
      );
    },
    release: () => guarded(() => workflow.signal(RELEASE_SIGNAL), address),
  };
}

/** @returns undefined when nothing was decided in this wait, or the workflow has closed */
async function askForResult(temporal: Client, workflowId: string, updateId: string): Promise<CiJobResult | undefined> {
  try {
    return await temporal.withDeadline(Date.now() + RESULT_POLL_MS, () =>
      temporal.workflow.getHandle(workflowId).executeUpdate<CiJobResult, []>(RESULT_UPDATE, { updateId }),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || error instanceof WorkflowNotFoundError)
      return undefined;
    if (isGrpcServiceError(error)) return undefined; // away for a moment: `isClosed` says whether it is more than that
    throw error;
  }
}

async function closedResult(temporal: Client, workflowId: string): Promise<CiJobResult> {
  const handle = temporal.workflow.getHandle(workflowId);
  try {
    return (await handle.result()) as CiJobResult;
  } catch (error) {
    const canceled = (await handle.describe()).status.name === 'CANCELLED';
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return {
      workflowId,
      state: canceled ? 'canceled' : 'failed',
      failureReason: canceled ? 'job_canceled' : 'runner_system_failure',
      failureMessage: cause instanceof Error ? cause.message : String(cause),
      exitCode: null,
      allowedToFail: false,
      metrics: 'none',
      traceBytes: 0,
    };
  }
}

/** Sorts by time, short enough to type, unlikely to meet another. */
function newJobId(): string {
  return `${Date.now().toString(36)}${randomBytes(3).toString('hex')}`;
}
