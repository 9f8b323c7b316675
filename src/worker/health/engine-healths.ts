import type { SharedDeps } from '../../activities/deps.js';
import type { Config } from '../../config/schema.js';
import type { Engine } from '../../machines/engine.js';
import { createEngineHealth, type EngineHealth } from './engine-health.js';
import { createOutageRecord } from './outage-record.js';

/** The health of each engine of a worker, by the engine's name. */
export interface EngineHealths {
  readonly all: ReadonlyMap<string, EngineHealth>;
  stop(): Promise<void>;
}

/** A hand-over ends the probes at once. */
export function createEngineHealths(deps: {
  config: Pick<Config, 'engines' | 'worker'>;
  engines: ReadonlyMap<string, Engine>;
  shared: Pick<SharedDeps, 'store' | 'logger' | 'metrics' | 'flight' | 'lifecycle'>;
}): EngineHealths {
  const { config, engines, shared } = deps;
  const { store, logger, metrics, flight, lifecycle } = shared;
  const all = new Map<string, EngineHealth>();
  for (const settings of config.engines) {
    const engine = engines.get(settings.name);
    if (engine === undefined) continue;
    const record = createOutageRecord({ store, engine: settings, worker: flight.worker, logger });
    const gauge = metrics.engineOut;
    all.set(settings.name, createEngineHealth({ engine, limit: config.worker.poisonAfter, logger, gauge, record }));
  }

  async function stop(): Promise<void> {
    await Promise.all([...all.values()].map((health) => health.stop()));
  }

  lifecycle.handover.addEventListener('abort', () => void stop(), { once: true });
  return { all, stop };
}
