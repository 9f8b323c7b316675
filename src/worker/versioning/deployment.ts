import { setTimeout as delay } from 'node:timers/promises';
import { isGrpcServiceError, type Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { looking } from '../../client/looking.js';
import { STATUS_QUERY } from '../../contracts/names.js';

/** An open workflow that is pinned to a version of the deployment. */
export interface PinnedWorkflow {
  workflowId: string;
  /** Build id. */
  version: string;
}

/** Temporal's Worker Deployment of one task queue: its versions, which of them is current, and the workflows pinned to them. */
export interface Deployment {
  readonly name: string;
  /** @returns the current build id; undefined: none is. @throws VersioningUnsupportedError */
  current(): Promise<string | undefined>;
  /**
   * New workflows go to this version as soon as this has returned.
   * @param buildId null: to workers without a version
   */
  promote(buildId: string | null): Promise<void>;
  /** Open workflows that are pinned to another version. */
  pinnedElsewhere(buildId: string | null): Promise<PinnedWorkflow[]>;
  /** Pins a workflow anew. @param buildId null: it follows the current version from now on */
  move(workflowId: string, buildId: string | null): Promise<void>;
  /** Whether a worker of the workflow's version answers within the time. */
  answers(workflowId: string, withinMs: number): Promise<boolean>;
  /** Build ids whose workers have asked for workflow tasks within this time before the last one that did. */
  recentPollers(withinMs: number): Promise<Set<string>>;
}

/** This server has no Worker Deployments, or does not let us use them. */
export class VersioningUnsupportedError extends Error {
  override readonly name = 'VersioningUnsupportedError';
}

// gRPC's own numbers.
const DEADLINE_EXCEEDED = 4;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;
const UNSUPPORTED = [
  3 /* invalid argument */, 7 /* permission denied */, 9 /* failed precondition */, 12 /* unimplemented */,
];

/** Of one look; a rest is moved with the next. */
const MAX_MOVED = 1_000;
const { RoutingConfigUpdateState, TaskQueueType } = proto.temporal.api.enums.v1;
/** A promotion reaches the parts of a task queue one after another; this long, and the server goes on with that alone. */
const SPREAD_MS = 5_000;
const SPREAD_LOOK_MS = 50;
const PINNED_OVERRIDE = 1;

export function createDeployment(client: Client, taskQueue: string): Deployment {
  const name = taskQueue.replaceAll(/[.:]/g, '-');
  const { namespace, identity } = client.options;
  const service = client.workflowService;

  async function describe() {
    const { workerDeploymentInfo } = await service.describeWorkerDeployment({ namespace, deploymentName: name });
    return workerDeploymentInfo;
  }

  /** Until then a new workflow may still go to the version before. Servers that promote in one go do not tell. */
  async function untilSpread(): Promise<void> {
    const untilMs = Date.now() + SPREAD_MS;
    while (Date.now() < untilMs) {
      const state = (await describe())?.routingConfigUpdateState;
      if (state !== RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS) return;
      await delay(SPREAD_LOOK_MS);
    }
  }

  return {
    name,
    async current() {
      try {
        const workerDeploymentInfo = await describe();
        const buildId = workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId;
        return buildId == null || buildId === '' ? undefined : buildId;
      } catch (error) {
        if (codeOf(error) === NOT_FOUND) return undefined;
        if (UNSUPPORTED.includes(codeOf(error) ?? -1)) {
          throw new VersioningUnsupportedError('The Temporal server does not take worker versions', { cause: error });
        }
        throw error;
      }
    },
    async promote(buildId) {
      await service.setWorkerDeploymentCurrentVersion({
        namespace,
        deploymentName: name,
        buildId: buildId ?? '',
        identity,
        ignoreMissingTaskQueues: true,
      });
      await untilSpread();
    },
    async pinnedElsewhere(buildId) {
      const own = buildId === null ? '' : ` AND TemporalWorkerDeploymentVersion != '${name}:${buildId}'`;
      const query = `TemporalWorkerDeployment = '${name}' AND TemporalWorkflowVersioningBehavior = 'Pinned' AND ExecutionStatus = 'Running'${own}`;
      const found: PinnedWorkflow[] = [];
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- the typed view leaves Temporal's own attributes out
      for await (const { workflowId, searchAttributes } of looking(client).workflow.list({ query, pageSize: 200 })) {
        const version = searchAttributes['TemporalWorkerDeploymentVersion']?.[0];
        if (typeof version !== 'string') continue;
        found.push({ workflowId, version: version.slice(name.length + 1) });
        if (found.length >= MAX_MOVED) break;
      }
      return found;
    },
    async move(workflowId, buildId) {
      const pinned = { behavior: PINNED_OVERRIDE, version: { deploymentName: name, buildId } };
      await service.updateWorkflowExecutionOptions({
        namespace,
        workflowExecution: { workflowId },
        workflowExecutionOptions: { versioningOverride: buildId === null ? { autoUpgrade: true } : { pinned } },
        updateMask: { paths: ['versioning_override'] },
      });
    },
    async answers(workflowId, withinMs) {
      try {
        await client.withDeadline(Date.now() + withinMs, () =>
          client.workflow.getHandle(workflowId).query(STATUS_QUERY),
        );
        return true;
      } catch (error) {
        // Any other answer is one: the workflow has just closed, or has no such query.
        return codeOf(error) !== DEADLINE_EXCEEDED && !isWithoutPoller(error);
      }
    },
    async recentPollers(withinMs) {
      const { pollers } = await service.describeTaskQueue({
        namespace,
        taskQueue: { name: taskQueue },
        taskQueueType: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
      });
      const polls = (pollers ?? []).map(({ lastAccessTime, deploymentOptions }) => ({
        atMs: Number(lastAccessTime?.seconds ?? 0) * 1000,
        buildId: deploymentOptions?.buildId ?? '',
      }));
      // The times are the server's, and this host's clock may be ahead of them. Whoever looks polls, too, at least once a minute.
      const nowMs = Math.min(Date.now(), Math.max(...polls.map(({ atMs }) => atMs)));
      return new Set(polls.filter(({ atMs }) => atMs >= nowMs - withinMs).map(({ buildId }) => buildId));
    },
  };
}

/**
 * What the server says, a second before the deadline, of a query that waits for a worker when the last one has begun to poll over 20 s ago
 * ("no poller seen for task queue recently, worker may be down"). Of the same code is a workflow whose task fails again and again.
 */
function isWithoutPoller(error: unknown): boolean {
  return codeOf(error) === FAILED_PRECONDITION && /no poller/i.test(textOf(error));
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} ${textOf(error.cause)}`;
}

function codeOf(error: unknown): number | undefined {
  if (isGrpcServiceError(error)) return error.code;
  return error instanceof Error && isGrpcServiceError(error.cause) ? error.cause.code : undefined;
}
