import type { Client } from '@temporalio/client';
import { Worker, type NativeConnection, type WorkerDeploymentOptions } from '@temporalio/worker';
import { createControlActivities, createCoordinatorActivities, createEngineActivities } from '../activities/index.js';
import { createMetricsActivities } from '../activities/collect-metrics.js';
import { createEngineSlots } from '../activities/engine-slots.js';
import { createProvisionMachine } from '../activities/provision-machine.js';
import type { SharedDeps } from '../activities/deps.js';
import type { createPayloadCodec } from '../codec/payload-codec.js';
import type { Config } from '../config/schema.js';
import { coordinatorTaskQueue, engineTaskQueue, metricsTaskQueue, poolTaskQueue } from '../contracts/names.js';
import type { Engine } from '../machines/engine.js';
import { VERSION } from '../version.js';
import type { GitlabEntries } from './gitlab/entries.js';
import type { GitlabIntake } from './gitlab/start-gitlab.js';
import type { EngineHealth } from './health/engine-health.js';
import { watchProvisioning, watchSteps } from './health/watch.js';
import type { Housekeeping } from './housekeeping.js';
import type { createMetricsParts } from './metrics-parts.js';
import type { WorkerGroups } from './serve.js';
import type { Tracing } from './tracing.js';

/** The longest that one provisioning may take (`workflows/activity-stubs.ts`). */
const PROVISION_LIMIT = '40m';

/**
 * For activities, of each queue. Where there is work a poll is answered at once, so these are enough; and each poll of a worker that is
 * paused may take a task, which is found lost 8 s later (ADR 29).
 */
const POLLS = 2;

/** A workflow waits so long for the worker that has it in memory, which may be dead, before another one reads its history. */
const STICKY_PATIENCE = '3s';

export interface WorkerParts {
  config: Config;
  codePath: string;
  deploymentOptions: WorkerDeploymentOptions | undefined;
  tracing: Tracing | undefined;
  connection: NativeConnection;
  client: Client;
  engines: ReadonlyMap<string, Engine>;
  healths: ReadonlyMap<string, EngineHealth>;
  /** Its id. */
  installation: string;
  /** Of this build. */
  revision: string;
  shared: SharedDeps;
  metricsDeps: ReturnType<typeof createMetricsParts>['metricsDeps'];
  entries: GitlabEntries;
  gitlab: GitlabIntake;
  housekeeping: Housekeeping;
  dataConverter: { payloadCodecs: ReturnType<typeof createPayloadCodec>[] };
}

export interface CreatedWorkers extends WorkerGroups {
  /** Workers of one more time for the pool's queue, which those of `intake` no longer poll. */
  openPool(pool: string): Promise<Worker[]>;
}

/** Control queue, that of metrics, and for each engine its own queue and those of its pools (docs/architecture.md, "Queues"). */
export async function createWorkers(parts: WorkerParts): Promise<CreatedWorkers> {
  const { config, connection, engines, shared, dataConverter, housekeeping, entries, gitlab } = parts;
  const { taskQueue, namespace } = config.temporal;
  const interceptors = [shared.flight.interceptor, ...(parts.tracing === undefined ? [] : [parts.tracing.interceptor])];
  const common = {
    connection,
    namespace,
    dataConverter,
    identity: shared.flight.identity,
    interceptors: { activity: interceptors },
    shutdownGraceTime: config.worker.shutdownGrace,
    maxConcurrentActivityTaskPolls: POLLS,
    stickyQueueScheduleToStartTimeout: STICKY_PATIENCE,
    maxHeartbeatThrottleInterval: config.worker.heartbeatThrottle,
    defaultHeartbeatThrottleInterval: config.worker.heartbeatThrottle,
  };
  const pools: { name: string; open(): Promise<Worker> }[] = [];
  const serving = [
    await Worker.create({
      ...common,
      taskQueue,
      workflowBundle: { codePath: parts.codePath },
      ...(parts.tracing === undefined ? {} : { sinks: parts.tracing.sinks }),
      ...(parts.deploymentOptions === undefined ? {} : { workerDeploymentOptions: parts.deploymentOptions }),
      activities: createControlActivities(shared, { ...parts.metricsDeps, engines }),
      maxConcurrentActivityTaskExecutions: config.worker.controlActivities,
      maxConcurrentActivityTaskPolls: Math.min(POLLS, config.worker.controlActivities),
      maxConcurrentWorkflowTaskExecutions: config.worker.workflowTasks,
      maxCachedWorkflows: config.worker.cachedWorkflows,
    }),
    await Worker.create({
      ...common,
      taskQueue: metricsTaskQueue(taskQueue),
      activities: createMetricsActivities({ ...parts.metricsDeps, engines }),
      maxConcurrentActivityTaskExecutions: config.worker.controlActivities,
      maxConcurrentActivityTaskPolls: Math.min(POLLS, config.worker.controlActivities),
    }),
  ];
  if (entries.all.length > 0) {
    serving.push(
      await Worker.create({
        ...common,
        taskQueue: coordinatorTaskQueue(taskQueue),
        activities: createCoordinatorActivities({
          ...shared,
          coordinators: entries.coordinators,
          conversations: gitlab.conversations,
        }),
        // Of each job its conversation and an upload; and as many again, for a fleet's jobs after one of its workers has died.
        maxConcurrentActivityTaskExecutions: config.gitlab.reduce((sum, { limit }) => sum + limit, 0) * 4,
      }),
    );
  }
  for (const settings of config.engines) {
    const engine = engines.get(settings.name);
    const health = parts.healths.get(settings.name);
    if (engine === undefined || health === undefined) continue;
    const slots = createEngineSlots(engine, shared.logger, health);
    health.onBack(() => {
      slots.released();
      gitlab.released();
    });
    const deps = {
      ...shared,
      engine,
      machineReleased: () => {
        slots.released();
        gitlab.released();
        housekeeping.machinesChanged(engine);
      },
    };
    serving.push(
      await Worker.create({
        ...common,
        interceptors: { activity: [...interceptors, watchSteps(health)] },
        taskQueue: engineTaskQueue(taskQueue, settings.name),
        activities: createEngineActivities(deps),
        // Of each job: a step, its trace, an upload or a stop, and a release; twice that, since jobs overlap at their ends.
        maxConcurrentActivityTaskExecutions: settings.capacity * 8,
      }),
    );
    const provision = createProvisionMachine({
      ...deps,
      settings,
      client: parts.client,
      version: VERSION,
      revision: parts.revision,
      installation: parts.installation,
      machineAcquired: (workflowId) => {
        gitlab.leased(workflowId);
        housekeeping.machinesChanged(engine);
      },
      machineMissed: () => housekeeping.provisioningFailed(),
      metricsSettings: {
        enabled: config.metrics.enabled && config.metrics.prometheusUrl !== undefined,
        graceMs: config.metrics.grace,
        giveUpAfterMs: config.metrics.giveUpAfter,
      },
    });
    for (const pool of settings.pools) {
      pools.push({
        name: pool,
        open: () =>
          Worker.create({
            ...common,
            interceptors: { activity: [...interceptors, watchProvisioning(health)] },
            // A drain ends what is being provisioned; a hand-over does not wait, it aborts it.
            shutdownGraceTime: PROVISION_LIMIT,
            taskQueue: poolTaskQueue(taskQueue, pool),
            activities: { ...provision },
            tuner: {
              activityTaskSlotSupplier: slots,
              localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
              workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
              nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
            },
            maxConcurrentActivityTaskPolls: Math.min(settings.capacity, 4),
          }),
      });
    }
  }
  return {
    intake: await Promise.all(pools.map((pool) => pool.open())),
    serving,
    openPool: (name) => Promise.all(pools.filter((pool) => pool.name === name).map((pool) => pool.open())),
  };
}
