import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import { CI_JOB_WORKFLOW, JOB_STATES } from '../contracts/names.js';
import type { Engine } from '../machines/engine.js';
import type { Logger } from '../telemetry/logger.js';
import type { WorkerMetrics } from '../telemetry/metrics.js';

/** A warm sandbox costs CPU to make: not in the same instant in which a job wants it. */
const WARM_DELAY_MS = 300;
const DRAIN_LOOK_MS = 500;

/** What a worker does for its engines besides jobs: warm sandboxes, sweeps, counting open jobs. */
export interface Housekeeping {
  start(): void;
  /** A machine was taken or given back: there may be a sandbox to make. */
  machinesChanged(engine: Engine): void;
  /** Waits until the engines of this worker run no job; the workers go on serving those that run. */
  drain(workers: readonly Worker[]): Promise<void>;
  stop(): Promise<void>;
}

export function createHousekeeping(deps: {
  engines: readonly Engine[];
  client: Client;
  logger: Logger;
  metrics: WorkerMetrics;
  sweepIntervalMs: number;
}): Housekeeping {
  const { engines, client, logger, metrics } = deps;
  const stopping = new AbortController();
  const signal = stopping.signal;
  const timers = new Map<Engine, NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  let drainingSince = false;

  function inBackground(what: string, work: () => Promise<unknown>): void {
    const run = work()
      .then(() => undefined)
      .catch((error: unknown) => {
        if (!signal.aborted)
          logger.warn({ what, error: String(error) }, 'Housekeeping failed; it is tried again later');
      })
      .finally(() => running.delete(run));
    running.add(run);
  }

  function keepWarmSoon(engine: Engine): void {
    if (signal.aborted || drainingSince || timers.has(engine)) return;
    timers.set(
      engine,
      setTimeout(() => {
        timers.delete(engine);
        inBackground('warm sandboxes', () => engine.keepWarm({ signal }));
      }, WARM_DELAY_MS),
    );
  }

  async function isOpen(workflowId: string): Promise<boolean> {
    try {
      return (await client.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error; // not knowing is no reason to remove anything
    }
  }

  async function sweepAll(): Promise<void> {
    for (const engine of engines) {
      const removed = await engine.sweep(isOpen, { signal });
      if (removed.length > 0) logger.warn({ engine: engine.name, removed }, 'Leftovers were removed');
      keepWarmSoon(engine);
    }
    const counts = await Promise.all(
      JOB_STATES.map((state) =>
        client.workflow.count(
          `WorkflowType = '${CI_JOB_WORKFLOW}' AND ExecutionStatus = 'Running' AND HoldfastJobState = '${state}'`,
        ),
      ),
    );
    JOB_STATES.forEach((state, index) => metrics.jobs.set({ state }, counts[index]?.count ?? 0));
  }

  async function sweepPeriodically(): Promise<void> {
    while (!signal.aborted) {
      await sweepAll().catch((error: unknown) => {
        if (!signal.aborted) logger.warn({ error: String(error) }, 'A sweep failed; it is tried again later');
      });
      await delay(deps.sweepIntervalMs, undefined, { signal }).catch(() => undefined);
    }
  }

  return {
    start() {
      inBackground('sweeps', sweepPeriodically);
    },
    machinesChanged: keepWarmSoon,
    async drain() {
      drainingSince = true;
      for (;;) {
        const free = await Promise.all(engines.map(async (engine) => (await engine.freeSlots({})) === engine.capacity));
        if (free.every(Boolean)) return;
        await delay(DRAIN_LOOK_MS);
      }
    },
    async stop() {
      stopping.abort();
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.all(running);
      for (const engine of engines) {
        await engine
          .dropWarm({})
          .catch((error: unknown) => logger.warn({ error: String(error) }, 'Warm sandboxes could not be removed'));
      }
    },
  };
}
