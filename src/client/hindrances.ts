import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { JobStatus } from '../contracts/ci-job.js';
import { CI_JOB_WORKFLOW, poolTaskQueue } from '../contracts/names.js';
import { quoted } from './list-query.js';
import { looking } from './looking.js';

const { TASK_QUEUE_TYPE_ACTIVITY, TASK_QUEUE_TYPE_WORKFLOW } = proto.temporal.api.enums.v1.TaskQueueType;
const LOOK_TIMEOUT_MS = 3_000;

/** What keeps a job from being taken up, as far as Temporal shows it; a sentence each. */
export async function readHindrances(temporal: Client, { workflowId, pool }: JobStatus): Promise<string[]> {
  return await temporal.withDeadline(Date.now() + LOOK_TIMEOUT_MS, async () => {
    const { taskQueue, raw } = await looking(temporal).workflow.getHandle(workflowId).describe();
    const failure = (raw.pendingWorkflowTask?.attempt ?? 0) > 1 ? await lastFailure(temporal, workflowId) : undefined;
    if (failure !== undefined) return [`No worker can go on with it, and they try again and again: ${failure}.`];
    if (!(await isPolled(temporal, taskQueue, TASK_QUEUE_TYPE_WORKFLOW)))
      return [`No worker serves the task queue "${taskQueue}" (temporal.taskQueue): start one.`];
    const poolQueue = poolTaskQueue(taskQueue, pool);
    if ((await isPolled(temporal, poolQueue, TASK_QUEUE_TYPE_ACTIVITY)) || (await isBusy(temporal, pool))) return [];
    return [`No engine serves pool "${pool}": correct the job's pool, or give it to an engine (engines[].pools).`];
  });
}

/** Messages of failures are not sealed, and hold no values. */
async function lastFailure(temporal: Client, workflowId: string): Promise<string | undefined> {
  const { events } = await temporal.workflow.getHandle(workflowId).fetchHistory();
  const failed = events?.findLast((event) => event.workflowTaskFailedEventAttributes != null);
  return failed?.workflowTaskFailedEventAttributes?.failure?.message?.replace(/\.$/, '');
}

/** Temporal remembers for five minutes who has asked. */
async function isPolled(
  temporal: Client,
  name: string,
  taskQueueType: proto.temporal.api.enums.v1.TaskQueueType,
): Promise<boolean> {
  const { namespace } = temporal.options;
  const { pollers } = await temporal.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name },
    taskQueueType,
  });
  return pollers.length > 0;
}

/** Engines that are full ask for nothing. */
async function isBusy(temporal: Client, pool: string): Promise<boolean> {
  const states = "HoldfastJobState IN ('preparing', 'running', 'finishing')";
  const query = `WorkflowType = '${CI_JOB_WORKFLOW}' AND ExecutionStatus = 'Running' AND HoldfastPool = ${quoted(pool)} AND ${states}`;
  return (await temporal.workflow.count(query)).count > 0;
}
