import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { askStatus } from '../client/ask-status.js';
import { CI_JOB_WORKFLOW, isFinalJobState, JOB_STATES } from '../contracts/names.js';
import type { Engine, MachineSummary } from '../machines/engine.js';
import type { Logger } from '../telemetry/logger.js';
import type { WorkerMetrics } from '../telemetry/metrics.js';
import { createOpenJobs } from './open-jobs.js';
import { orAborted } from './or-aborted.js';
import { STOP_MS } from './stop-deadline.js';
import { createSweeps } from './sweeps.js';

/** A warm sandbox costs as much to make as a job's own container: not while that one is being started. */
const WARM_DELAY_MS = 800;
const DRAIN_LOOK_MS = 500;

/** What a worker does for its engines besides jobs: warm sandboxes, sweeps, counting open jobs. */
export interface Housekeeping {
  start(): void;
  /** A machine was taken or given back: there may be a sandbox to make, soon. */
  machinesChanged(engine: Engine): void;
  /** A machine was not made, and perhaps half of it is there: when its job makes no other attempt, it is a leftover. */
  provisioningFailed(): void;
  /**
   * Waits until the jobs that are on the engines now have their final status and their machines are gone, or held. Jobs that come later
   * (to another worker of the same engine) are not waited for.
   */
  drain(signal: AbortSignal): Promise<void>;
  /** Whatever the engines do, not longer than a stop may take. */
  stop(): Promise<void>;
}

export function createHousekeeping(deps: {
  engines: readonly Engine[];
  client: Client;
  logger: Logger;
  metrics: WorkerMetrics;
  sweepIntervalMs: number;
  /** Default: as a stop has it. */
  stopMs?: number;
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

  /**
   * It has its final status (metrics may still be on their way), or waits for another machine: any worker can see to those. A machine
   * that is there is waited for, unless it is held, perhaps for a day: the hold is the workflow's, and survives this worker.
   */
  async function needsThisWorkerNoMore(workflowId: string, hasMachine: boolean): Promise<boolean> {
    try {
      const { state, heldUntil } = await askStatus(client.workflow.getHandle(workflowId));
      if (hasMachine) return isFinalJobState(state) && heldUntil != null;
      return isFinalJobState(state) || state === 'pending';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return true;
      logger.warn({ workflowId, error: String(error) }, 'A job cannot say how it stands; it is asked again');
      return false;
    }
  }

  /** An engine that does not answer is asked again: nobody knows what runs there. */
  async function machinesOfJobs(cut: AbortSignal): Promise<MachineSummary[]> {
    while (!cut.aborted) {
      try {
        const lists = await Promise.all(engines.map((engine) => engine.list({})));
        return lists.flat().filter((machine) => machine.job !== '');
      } catch (error) {
        logger.warn({ error: String(error) }, 'An engine cannot say what runs on it; it is asked again');
        await delay(DRAIN_LOOK_MS, undefined, { signal: cut }).catch(() => undefined);
      }
    }
    return [];
  }

  async function countJobs(): Promise<void> {
    const counts = await Promise.all(
      JOB_STATES.map((state) =>
        client.workflow.count(
          `WorkflowType = '${CI_JOB_WORKFLOW}' AND ExecutionStatus = 'Running' AND HoldfastJobState = '${state}'`,
        ),
      ),
    );
    JOB_STATES.forEach((state, index) => metrics.jobs.set({ state }, counts[index]?.count ?? 0));
  }

  const sweeps = createSweeps({
    engines,
    jobs: createOpenJobs(client),
    intervalMs: deps.sweepIntervalMs,
    signal,
    logger,
    async after() {
      for (const engine of engines) keepWarmSoon(engine);
      await orAborted(countJobs(), signal).catch((error: unknown) => {
        if (!signal.aborted) logger.warn({ error: String(error) }, 'The open jobs could not be counted');
      });
    },
  });

  return {
    start() {
      inBackground('sweeps', sweeps.run);
    },
    machinesChanged: keepWarmSoon,
    provisioningFailed: sweeps.soon,
    async drain(cut) {
      drainingSince = true;
      const jobs = new Set((await machinesOfJobs(cut)).map((machine) => machine.job));
      while (jobs.size > 0 && !cut.aborted) {
        const live = new Set((await machinesOfJobs(cut)).map((machine) => machine.job));
        for (const job of jobs) if (await needsThisWorkerNoMore(job, live.has(job))) jobs.delete(job);
        if (jobs.size > 0) await delay(DRAIN_LOOK_MS, undefined, { signal: cut }).catch(() => undefined);
      }
    },
    async stop() {
      stopping.abort();
      for (const timer of timers.values()) clearTimeout(timer);
      const patience = AbortSignal.timeout(deps.stopMs ?? STOP_MS.housekeeping);
      // A sandbox that is just being made is there before the warm ones are removed, or it would stay.
      await orAborted(Promise.all(running), patience).catch(() => undefined);
      await Promise.all(
        engines.map((engine) =>
          orAborted(engine.dropWarm({ signal: patience }), patience).catch((error: unknown) =>
            logger.warn(
              { engine: engine.name, error: String(error) },
              'Warm sandboxes could not be removed; the next worker has them',
            ),
          ),
        ),
      );
    },
  };
}
