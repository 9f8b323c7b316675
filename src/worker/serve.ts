import type { Worker } from '@temporalio/worker';
import type { Logger } from '../telemetry/logger.js';
import type { StopSignals } from './stop-signal.js';

/** What is needed of a Temporal worker here. */
export type TaskWorker = Pick<Worker, 'run' | 'shutdown' | 'getState'>;

/** The Temporal workers of one process. */
export interface WorkerGroups {
  /** Take new jobs (the pools' queues). The first to stop in a drain. */
  intake: readonly TaskWorker[];
  /** Everything that running jobs need. */
  serving: readonly TaskWorker[];
}

/** Logged in a drain: from here on a job that comes into the queue is another worker's. */
export const NO_MORE_JOBS = 'No more jobs are taken';

export interface ServeOptions {
  stop: StopSignals;
  /** Whatever asks others for jobs (GitLab pollers); called when the workers run. */
  startSources(): Promise<void>;
  /** First of all no new jobs; resolves when what is just being handed over has arrived. */
  stopSources(reason: 'handover' | 'drain'): Promise<void>;
  /** In a drain, after the sources: sees to what they brought when the intake's polls were withdrawn already. */
  takeIn(signal: AbortSignal): Promise<void>;
  /** Resolves when the jobs that this process is to end are over, or when the signal says not to wait any longer. */
  drained(signal: AbortSignal): Promise<void>;
  /** Called once, before the last workers stop: running work is to be left to another process. */
  handOver(): void;
  logger: Logger;
}

/**
 * Runs the workers until the process is told to stop, and then stops them in order.
 * @throws whatever made a worker fail; the others are stopped then, too
 */
export async function serveUntilStopped({ intake, serving }: WorkerGroups, options: ServeOptions): Promise<void> {
  const { stop, logger } = options;
  const intakeOver = Promise.all(intake.map((worker) => worker.run()));
  const all = Promise.all([intakeOver, ...serving.map((worker) => worker.run())]);
  const cut = new AbortController();
  let sourcesStopped: Promise<void> | undefined;
  let draining: Promise<void> | undefined;
  try {
    // The start may hang, on a store that does not answer; a stop does not wait for it.
    const ended = Promise.all([options.startSources(), all]).then(() => 'handover' as const);
    const reason = await Promise.race([stop.first, ended]);
    logger.info({ reason }, 'Worker is stopping');
    sourcesStopped = options.stopSources(reason);
    if (reason === 'drain') {
      draining = drain(sourcesStopped);
      await Promise.race([draining, stop.handover, all]);
    }
  } finally {
    cut.abort();
    // Also after a drain that was cut short: a hand-over has less patience.
    sourcesStopped = Promise.all([sourcesStopped, options.stopSources('handover')]).then(() => undefined);
    options.handOver();
    for (const worker of [...intake, ...serving]) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.allSettled([all, sourcesStopped, draining]);
  }
  await Promise.all([all, sourcesStopped, draining]);

  async function drain(sources: Promise<void>): Promise<void> {
    // At once: until its polls are withdrawn a worker may be given a job. What is being provisioned is ended.
    for (const worker of intake) if (worker.getState() === 'RUNNING') worker.shutdown();
    const withdrawn = intakeOver.then(() => logger.info({}, NO_MORE_JOBS));
    await Promise.all([withdrawn, sources.then(() => options.takeIn(cut.signal))]);
    await options.drained(cut.signal);
    if (!cut.signal.aborted) logger.info({}, 'The jobs of this worker are over');
  }
}
