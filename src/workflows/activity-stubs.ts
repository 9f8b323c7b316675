import { ActivityCancellationType, proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { Activities, MachineRef } from '../contracts/activities.js';
import { coordinatorTaskQueue, engineTaskQueue, metricsTaskQueue, poolTaskQueue } from '../contracts/names.js';

/**
 * Every timeout of the job, each with its reason. All activities are retried without limit inside their time: what cannot get
 * better is thrown as non-retryable by the activity itself.
 */
const RETRY = { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' } as const;

/**
 * Between attempts at an engine, at most: it counts also when the last attempt was lost with its worker, and then the trace stands still for
 * that long beside the time of the heartbeats.
 */
const ENGINE_PAUSE = '3s';

/**
 * A worker that died is noticed after this time, and its activity given to another. Activities beat every 2 s; five missed
 * beats rule out a busy event loop. The promise is 10 s.
 */
const HEARTBEAT = '8s';

const HOUR_MS = 3_600_000;

/** Waits in the pool's queue as long as it takes; 40 min once it runs, for an image that is pulled over a slow line. */
export function provisionActivities(taskQueue: string, pool: string, summary: string) {
  return proxyActivities<Pick<Activities, 'provisionMachine'>>({
    taskQueue: poolTaskQueue(taskQueue, pool),
    startToCloseTimeout: '40m',
    heartbeatTimeout: HEARTBEAT,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: RETRY,
    summary,
  });
}

/**
 * @param budgetMs what is left of the job's time. Half an hour more, so that the durable timer decides and not this limit, and
 *   so that a worker that comes back late still finds the step.
 * @param unservedMs no worker of the engine may be there for so long; absent: for all that time
 */
export function stepActivities(
  taskQueue: string,
  machine: MachineRef,
  { budgetMs, unservedMs }: { budgetMs: number; unservedMs?: number },
  summary: string,
) {
  return proxyActivities<Pick<Activities, 'runStep'>>({
    ...onEngine(taskQueue, machine, summary),
    scheduleToCloseTimeout: budgetMs + HOUR_MS / 2,
    ...(unservedMs === undefined ? {} : { scheduleToStartTimeout: unservedMs }),
  });
}

/**
 * Files into a machine. Given up at once with the job: its worker hears of that with its next heartbeat, if there is one, and nothing
 * comes after it on the machine but the release, which may come at any time.
 * @param budgetMs as for a step
 */
export function prepareActivities(taskQueue: string, machine: MachineRef, budgetMs: number, summary: string) {
  return proxyActivities<Pick<Activities, 'restoreCache' | 'downloadArtifacts'>>({
    ...onEngine(taskQueue, machine, summary),
    scheduleToCloseTimeout: budgetMs + HOUR_MS / 2,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
}

/** Files out of a machine. They may outlive the job's own time limit, but not for ever; given up as those into it. */
export function keepActivities(taskQueue: string, machine: MachineRef, summary: string) {
  return proxyActivities<Pick<Activities, 'saveCache' | 'uploadArtifacts'>>({
    ...onEngine(taskQueue, machine, summary),
    scheduleToCloseTimeout: 24 * HOUR_MS,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
}

/** May outlive the job's own time limit, but not for ever. */
export function traceActivities(taskQueue: string, machine: MachineRef, summary: string) {
  return proxyActivities<Pick<Activities, 'streamTrace'>>({
    ...onEngine(taskQueue, machine, summary),
    scheduleToCloseTimeout: 24 * HOUR_MS,
  });
}

/** A machine whose engine nobody serves any more cannot be stopped; the job must not wait for it for ever. */
export function stopActivities(taskQueue: string, machine: MachineRef, summary: string) {
  return proxyActivities<Pick<Activities, 'stopStep'>>({
    ...onEngine(taskQueue, machine, summary),
    scheduleToCloseTimeout: '10m',
  });
}

/** Long, because leftovers are worse than an open workflow; the sweep is the second net. */
export function releaseActivities(taskQueue: string, machine: MachineRef) {
  return proxyActivities<Pick<Activities, 'releaseMachine'>>({
    ...onEngine(taskQueue, machine, `release ${machine.machine}`),
    scheduleToCloseTimeout: 24 * HOUR_MS,
  });
}

/** On the workflow's own queue: the worker that runs the workflow starts it at once (eager dispatch). */
export function finishActivities() {
  return proxyActivities<Pick<Activities, 'finishJob'>>({
    startToCloseTimeout: '5m',
    scheduleToCloseTimeout: 48 * HOUR_MS,
    heartbeatTimeout: HEARTBEAT,
    retry: RETRY,
    summary: 'end of trace, report',
  });
}

/**
 * As long as GitLab can keep a job open: its time limit, an hour of silence, and some. Cancelled (the upload of metrics is, when
 * its grace is over), it is waited for: what GitLab has by then decides.
 */
export function coordinatorActivities(taskQueue: string, budgetMs: number, summary: string) {
  return proxyActivities<Pick<Activities, 'reportToCoordinator' | 'deliverArtifacts' | 'fetchDependencies'>>({
    taskQueue: coordinatorTaskQueue(taskQueue),
    scheduleToCloseTimeout: budgetMs + 3 * HOUR_MS,
    startToCloseTimeout: budgetMs + 3 * HOUR_MS,
    heartbeatTimeout: HEARTBEAT,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: RETRY,
    summary,
  });
}

/** `giveUpAfterMs` is the operator's patience with Prometheus. A pending retry shows in the UI with its last failure. */
export function metricsActivities(taskQueue: string, giveUpAfterMs: number, summary: string) {
  return proxyActivities<Pick<Activities, 'collectMetrics'>>({
    ...metricsOptions(giveUpAfterMs, summary),
    taskQueue: metricsTaskQueue(taskQueue),
  });
}

/** On the workflow's own queue, since the job's end waits for it, for a moment. Cancelled when nothing can be sent any more, and waited for: the collection that follows writes to the same places. */
export function earlyMetricsActivities(giveUpAfterMs: number, summary: string) {
  return proxyActivities<Pick<Activities, 'collectMetrics'>>({
    ...metricsOptions(giveUpAfterMs, summary),
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
}

function metricsOptions(giveUpAfterMs: number, summary: string): ActivityOptions {
  return {
    scheduleToCloseTimeout: giveUpAfterMs,
    // Two minutes for a scrape, and some for queries that each time out.
    startToCloseTimeout: '5m',
    heartbeatTimeout: HEARTBEAT,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    summary,
  };
}

function onEngine(taskQueue: string, machine: MachineRef, summary: string): ActivityOptions {
  return {
    taskQueue: engineTaskQueue(taskQueue, machine.engine),
    heartbeatTimeout: HEARTBEAT,
    retry: { ...RETRY, maximumInterval: ENGINE_PAUSE },
    summary,
  };
}
