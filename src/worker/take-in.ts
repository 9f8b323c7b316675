import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../telemetry/logger.js';
import type { TaskWorker } from './serve.js';

/** A job that GitLab has handed to this process, and its pool. */
export interface HandedOverJob {
  workflowId: string;
  pool: string;
}

export interface TakeInDeps {
  /** Those of which this process does not know that they have a machine. */
  withoutMachine(): HandedOverJob[];
  /** Whether nobody makes it one either. @throws when Temporal cannot be reached */
  waits(workflowId: string): Promise<boolean>;
  openPool(pool: string): Promise<TaskWorker[]>;
  logger: Logger;
  /** Another worker of the pool takes a job at once; so long it may take to be seen. Default: a second. */
  othersMs?: number;
}

const LOOK_MS = 250;

/**
 * The end of the intake in a drain. GitLab counts a job as this runner's when it has answered a request, and one was on the wire
 * when the polls were withdrawn: what it brought would wait, with its clock running, for the next worker. So the pool is polled
 * once more, until that job has a machine; what else is in the queue before it may come along.
 * @param signal ends the waiting; what has no machine then waits for the next worker
 */
export async function takeIn(deps: TakeInDeps, signal: AbortSignal): Promise<void> {
  if (deps.withoutMachine().length === 0) return;
  await pause(deps.othersMs ?? 1_000, signal);
  const late = signal.aborted ? [] : await stillWaiting(deps);
  if (late.length === 0) return;
  deps.logger.info(
    { jobs: late.map((job) => job.workflowId) },
    'Jobs that GitLab has just handed over still get a machine',
  );
  const pools = [...new Set(late.map((job) => job.pool))];
  const workers = (await Promise.all(pools.map((pool) => deps.openPool(pool)))).flat();
  if (workers.length === 0) return;
  const runs = Promise.all(workers.map((worker) => worker.run()));
  try {
    while (!signal.aborted && (await stillWaiting(deps)).length > 0) {
      await Promise.race([pause(LOOK_MS, signal), runs]);
    }
  } finally {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await runs;
  }
}

/** A job whose state cannot be told is asked for again. */
async function stillWaiting(deps: TakeInDeps): Promise<HandedOverJob[]> {
  const jobs = deps.withoutMachine();
  const answers = await Promise.all(
    jobs.map(({ workflowId }) =>
      deps.waits(workflowId).catch((error: unknown) => {
        deps.logger.warn({ workflowId, error: String(error) }, 'A job cannot say how it stands; it is asked again');
        return true;
      }),
    ),
  );
  return jobs.filter((_, index) => answers[index] === true);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
