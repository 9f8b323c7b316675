import {
  isGrpcServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type Client,
} from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import proto from '@temporalio/proto';
import { NAME_MEMO } from '../../client/job-summary.js';
import { looking } from '../../client/looking.js';
import type { Activities } from '../../contracts/activities.js';
import type { CiJobInput, Coordinator } from '../../contracts/ci-job.js';
import type { JobSpec } from '../../contracts/job-spec.js';
import { CI_JOB_WORKFLOW, gitlabWorkflowId } from '../../contracts/names.js';
import type { StartOutcome } from '../../gitlab/intake.js';
import type { OpenJob } from './room.js';

const JOB_STATE = defineSearchAttributeKey('HoldfastJobState', 'KEYWORD');
const PROVISION: keyof Activities = 'provisionMachine';
const { PENDING_ACTIVITY_STATE_STARTED } = proto.temporal.api.enums.v1.PendingActivityState;
/** gRPC's own numbers. */
const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;
const START_TIMEOUT_MS = 10_000;
const LIST_TIMEOUT_MS = 5_000;
/** With more open jobs than this in a pool, some of the newest are waiting, and that is all that is asked. */
const MAX_LISTED = 1_000;

/** `<host>` of a workflow id: host and port as in the URL. */
export function hostOf(url: string): string {
  return new URL(url).host;
}

export async function startGitlabJob(
  client: Client,
  taskQueue: string,
  job: { jobId: number; spec: JobSpec; coordinator: Coordinator },
): Promise<StartOutcome> {
  const input: CiJobInput = { version: 1, spec: job.spec, coordinator: job.coordinator };
  try {
    await client.connection.withDeadline(Date.now() + START_TIMEOUT_MS, () =>
      client.workflow.start(CI_JOB_WORKFLOW, {
        workflowId: gitlabWorkflowId(hostOf(job.coordinator.url), job.jobId),
        taskQueue,
        args: [input],
        // Handed over twice runs once, also when the first run is over.
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
        memo: { entry: job.coordinator.entry, [NAME_MEMO]: job.spec.name },
      }),
    );
    return { kind: 'started' };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return { kind: 'exists' };
    const problem = neverTaken(error);
    if (problem !== undefined) return { kind: 'impossible', message: problem };
    throw error;
  }
}

/** @throws when Temporal does not answer */
export async function hasWorkflow(client: Client, workflowId: string): Promise<boolean> {
  try {
    await client.connection.withDeadline(Date.now() + LIST_TIMEOUT_MS, () =>
      looking(client).workflow.getHandle(workflowId).describe(),
    );
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** Whether the job has no machine and no worker that makes it one. @throws when Temporal does not answer */
export async function waitsForMachine(client: Client, workflowId: string): Promise<boolean> {
  const { status, typedSearchAttributes, raw } = await client.connection.withDeadline(
    Date.now() + LIST_TIMEOUT_MS,
    () => looking(client).workflow.getHandle(workflowId).describe(),
  );
  const isMade = raw.pendingActivities?.some(
    ({ activityType, state }) => activityType?.name === PROVISION && state === PENDING_ACTIVITY_STATE_STARTED,
  );
  return (
    status.name === 'RUNNING' && (typedSearchAttributes.get(JOB_STATE) ?? 'pending') === 'pending' && isMade !== true
  );
}

/** Only its size can be wrong with an input that we have made. */
function neverTaken(error: unknown): string | undefined {
  const cause = error instanceof Error && isGrpcServiceError(error.cause) ? error.cause : error;
  if (!isGrpcServiceError(cause)) return undefined;
  const code: number = cause.code;
  const tooLarge = code === INVALID_ARGUMENT || (code === RESOURCE_EXHAUSTED && /larger than max/i.test(cause.details));
  return tooLarge ? `the job is too large (${cause.details})` : undefined;
}

/** @throws when Temporal does not answer */
export async function listOpenJobs(client: Client, pool: string): Promise<OpenJob[]> {
  const query =
    `WorkflowType = '${CI_JOB_WORKFLOW}' AND ExecutionStatus = 'Running' AND HoldfastPool = '${pool}'` +
    ` AND HoldfastJobState IN ('pending', 'preparing', 'running', 'finishing')`;
  return await client.connection.withDeadline(Date.now() + LIST_TIMEOUT_MS, async () => {
    const jobs: OpenJob[] = [];
    for await (const info of looking(client).workflow.list({ query, pageSize: MAX_LISTED })) {
      const entry = info.memo?.['entry'];
      jobs.push({
        workflowId: info.workflowId,
        state: info.typedSearchAttributes.get(JOB_STATE) ?? 'pending',
        startedAtMs: info.startTime.getTime(),
        entry: typeof entry === 'string' ? entry : undefined,
      });
      if (jobs.length >= MAX_LISTED) break;
    }
    return jobs;
  });
}
