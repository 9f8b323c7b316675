import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ServiceError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';
import { ApplicationFailure, type PayloadCodec } from '@temporalio/common';
import type { CiJobResult, JobStatus } from '../contracts/ci-job.js';
import { isFinalJobState, RELEASE_SIGNAL, RESULT_UPDATE } from '../contracts/names.js';
import type { Store } from '../store/store.js';
import { readEnd } from './closed-result.js';
import { readStatus } from './job-status.js';
import { statusAfterReplay } from './replayed.js';
import { readFlight, type JobFlight } from './life/job-flight.js';
import { looking } from './looking.js';
import { followTrace } from './trace-follower.js';
import { guarded } from './reach.js';
import { statusWhileWaiting } from './waiting.js';

/** One wait for an update; the server ends longer ones. */
const RESULT_POLL_MS = 20_000;
/** After a refusal, which comes at once. */
const ASK_AGAIN_MS = 500;

export interface JobHandle {
  readonly id: string;
  readonly workflowId: string;
  /** Returns when the job's final status is decided; metrics may still be on their way. Waits as long as it takes. */
  result(): Promise<CiJobResult>;
  /** Byte for byte. @param options.follow go on until the trace is whole (default) */
  trace(options?: { follow?: boolean; signal?: AbortSignal }): AsyncIterable<Buffer>;
  status(): Promise<JobStatus>;
  /** The flight recorder: status, every activity with every attempt, and whose fault a failure is. */
  flight(): Promise<JobFlight>;
  /** Ordinary workflow cancellation: after_script still runs, if the script has begun. */
  cancel(reason?: string): Promise<void>;
  /** Ends a hold for debugging. */
  release(): Promise<void>;
}

export interface JobHandleDeps {
  temporal: Client;
  store: Store;
  codec: PayloadCodec;
  /** Of Temporal, for messages. */
  address: string;
}

/** One job, by its whole workflow id. Nothing is asked of anybody yet. */
export function createJobHandle(deps: JobHandleDeps, workflowId: string): JobHandle {
  const { temporal, store, address } = deps;
  const workflow = temporal.workflow.getHandle(workflowId);
  // One update for all waits of this handle: asking again attaches to it and adds nothing to the history.
  const updateId = `result-${randomBytes(6).toString('hex')}`;

  async function isClosed(): Promise<boolean> {
    return (
      (await guarded(() => looking(temporal).workflow.getHandle(workflowId).describe(), address)).status.name !==
      'RUNNING'
    );
  }

  async function resultOfClosed(): Promise<CiJobResult> {
    const closed = await guarded(() => readEnd(temporal, workflowId), address);
    if ('result' in closed) return closed.result;
    // A canceled workflow brings no result.
    const status = await readStatus(deps, workflowId);
    const { failureReason, failureMessage, exitCode, allowedToFail, metrics, traceBytes } = status;
    const state = isFinalJobState(status.state) ? status.state : closed.end.state;
    return { workflowId, state, failureReason, failureMessage, exitCode, allowedToFail, metrics, traceBytes };
  }

  async function readNow(): Promise<JobStatus> {
    const status = await readStatus(deps, workflowId);
    return await statusWhileWaiting(deps, await statusAfterReplay(store, status));
  }

  return {
    id: workflowId.slice(workflowId.lastIndexOf('/') + 1),
    workflowId,
    async result() {
      for (;;) {
        const decided = await askForResult(temporal, workflowId, updateId);
        if (decided !== undefined) return decided;
        if (await isClosed()) return await resultOfClosed();
      }
    },
    trace: ({ follow = true, signal } = {}) =>
      followTrace(store, workflowId, { follow, isOver: isClosed, ...(signal === undefined ? {} : { signal }) }),
    status: readNow,
    flight: async () => await readFlight(deps, await readNow()),
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
    if (error instanceof WorkflowUpdateFailedError && endedMeanwhile(error.cause)) return undefined;
    if (!(error instanceof ServiceError)) throw error;
    // Away for a moment, or the job's worker was lost a few times and no other one has it yet: `isClosed` says whether it is more.
    await delay(ASK_AGAIN_MS);
    return undefined;
  }
}

/** What the SDK says of an update that came with the first task of a workflow which fails there: an input that is refused. */
const UNHEARD = /^No registered handler for update/;

/** Temporal's name for the end of an update whose workflow was ended from outside; or the workflow ended before it could hear of it. */
function endedMeanwhile(cause: unknown): boolean {
  if (!(cause instanceof ApplicationFailure)) return false;
  return cause.type === 'AcceptedUpdateCompletedWorkflow' || UNHEARD.test(cause.message);
}
