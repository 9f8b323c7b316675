import type { Engine, OpenJobs } from '../machines/engine.js';
import type { Logger } from '../telemetry/logger.js';
import { orAborted } from './or-aborted.js';

/** Before the next sweep, while there is something of which that one will know more. */
const SOON_MS = 10_000;

/** Sweeps over the engines: at once, every interval, and soon after something was left half made. */
export interface Sweeps {
  /** Until the signal. */
  run: () => Promise<void>;
  /** Something may have been left over just now. */
  soon: () => void;
}

/** @param deps.after each round, whatever it came to */
export function createSweeps(deps: {
  engines: readonly Engine[];
  jobs: OpenJobs;
  intervalMs: number;
  soonMs?: number;
  signal: AbortSignal;
  logger: Logger;
  after(): Promise<void>;
}): Sweeps {
  const { engines, jobs, signal, logger } = deps;
  const soonMs = Math.min(deps.soonMs ?? SOON_MS, deps.intervalMs);
  let timer: NodeJS.Timeout | undefined;
  let pause = new AbortController();

  function soon(): void {
    if (signal.aborted) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      pause.abort();
    }, soonMs);
  }

  /** What cannot be swept now (nobody answers for the engine, or for its jobs) is soon tried again. */
  async function sweep(engine: Engine): Promise<void> {
    try {
      const { removed, unsettled, stuck } = await orAborted(engine.sweep(jobs, { signal }), signal);
      if (removed.length > 0) logger.warn({ engine: engine.name, removed }, 'Leftovers were removed');
      if (stuck !== undefined)
        logger.warn({ engine: engine.name, stuck }, 'Leftovers could not be removed; it is soon tried again');
      if (unsettled || stuck !== undefined) soon();
    } catch (error) {
      if (!signal.aborted) {
        logger.warn({ engine: engine.name, error: String(error) }, 'A sweep failed; it is soon tried again');
      }
      soon();
    }
  }

  async function run(): Promise<void> {
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    while (!signal.aborted) {
      // A call that comes while the sweep is under way is heard after it.
      pause = new AbortController();
      for (const engine of engines) await sweep(engine);
      await deps.after();
      await pauseFor(deps.intervalMs, AbortSignal.any([signal, pause.signal]));
    }
  }

  return { run, soon };
}

function pauseFor(ms: number, cut: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      resolve();
    }
    if (cut.aborted) end();
    cut.addEventListener('abort', end, { once: true });
  });
}
