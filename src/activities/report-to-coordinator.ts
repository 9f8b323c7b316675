import { Context } from '@temporalio/activity';
import { buffer } from 'node:stream/consumers';
import type { Activities, JobReport, ReportInput, ReportOutcome } from '../contracts/activities.js';
import type { Coordinator } from '../contracts/ci-job.js';
import type { JobApi } from '../gitlab/client.js';
import { systemClock } from '../gitlab/clock.js';
import { converse, type JobEnd, type JobSource, type Progress } from '../gitlab/conversation.js';
import { jobKeys } from '../store/keys.js';
import { beating } from './beat.js';
import type { SharedDeps } from './deps.js';
import type { TraceComplete } from './finish-job.js';
import type { AttemptRef } from './flight-log.js';
import { fencedJobApi, type Ownership } from './ownership.js';

/** The coordinators that this worker is configured with. */
export interface Coordinators {
  /** @throws ApplicationFailure, retryable, when the entry is not in this worker's configuration: another one may have it */
  open(coordinator: Coordinator): { job: JobApi; silenceLimitMs: number };
}

/** Told of the conversations in this process. */
export interface Conversations {
  began(workflowId: string): void;
  /** @param decided GitLab has the final status, or does not want it */
  ended(workflowId: string, decided: boolean): void;
}

export interface CoordinatorDeps extends SharedDeps {
  coordinators: Coordinators;
  conversations: Conversations;
}

/** @returns activity `reportToCoordinator`; two deliveries of it at once send the same bytes to the same places */
export function createReportToCoordinator(deps: CoordinatorDeps): Pick<Activities, 'reportToCoordinator'> {
  return {
    reportToCoordinator: (input) => {
      const { info } = Context.current();
      const progress = progressOf(info.heartbeatDetails, input);
      const ref = { workflowId: input.workflowId, activityId: info.activityId, attempt: info.attempt };
      return beating(
        deps.lifecycle,
        (signal, owner) =>
          tracked(deps.conversations, input.workflowId, () => talk(deps, input, { ref, progress, owner, signal })),
        () => progress,
      );
    },
  };
}

async function talk(
  deps: CoordinatorDeps,
  input: ReportInput,
  { ref, progress, owner, signal }: { ref: AttemptRef; progress: Progress; owner: Ownership; signal: AbortSignal },
): Promise<ReportOutcome> {
  const { workflowId, coordinator, cancelAcknowledged } = input;
  const { job, silenceLimitMs } = deps.coordinators.open(coordinator);
  return await converse(
    {
      job: fencedJobApi(job, owner),
      source: storedJob(deps, workflowId),
      clock: systemClock,
      wallClock: Date.now,
      log: (facts, message) => deps.logger.warn({ workflowId, ...facts }, message),
      trouble: (reason) => deps.flight.trouble(ref, 'COORDINATOR_AWAY', reason),
      observeLag: (seconds) => deps.metrics.traceUploadLag.observe(seconds),
    },
    { failureReasons: coordinator.failureReasons, cancelAcknowledged, silenceLimitMs },
    progress,
    signal,
  );
}

async function tracked(
  conversations: Conversations,
  workflowId: string,
  work: () => Promise<ReportOutcome>,
): Promise<ReportOutcome> {
  let outcome: ReportOutcome | undefined;
  conversations.began(workflowId);
  try {
    outcome = await work();
    return outcome;
  } finally {
    conversations.ended(workflowId, outcome !== undefined && outcome.kind !== 'cancelRequested');
  }
}

/** Where an earlier delivery was; a wrong offset only costs a request, so no more than its shape is checked. */
function progressOf(details: unknown, input: ReportInput): Progress {
  if (typeof details === 'object' && details !== null && 'offset' in details && 'heardAtMs' in details) {
    const { offset, heardAtMs } = details;
    if (Number.isSafeInteger(offset) && typeof heardAtMs === 'number') return { offset: Number(offset), heardAtMs };
  }
  return { offset: input.offset ?? 0, heardAtMs: Date.now() };
}

function storedJob({ store, hub }: SharedDeps, workflowId: string): JobSource {
  const trace = jobKeys.trace(workflowId);
  return {
    size: async () => (await store.size(trace)) ?? 0,
    async read(start, end) {
      const content = await store.stream(trace, { start, end });
      return content === undefined ? Buffer.alloc(0) : await buffer(content);
    },
    async end(): Promise<JobEnd | undefined> {
      const complete = await store.read(jobKeys.traceComplete(workflowId));
      if (complete === undefined) return undefined;
      const report = await store.read(jobKeys.report(workflowId));
      if (report === undefined) return undefined;
      // Both written by `finishJob`, the report first.
      return {
        ...(JSON.parse(complete.toString('utf8')) as TraceComplete),
        report: JSON.parse(report.toString('utf8')) as JobReport,
      };
    },
    grown: (ms, signal) => hub.wait(workflowId, Math.max(ms, store.lookMs), signal),
  };
}
