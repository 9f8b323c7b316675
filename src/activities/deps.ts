import type { Engine } from '../machines/engine.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import type { WorkerMetrics } from '../telemetry/metrics.js';
import type { Lifecycle } from './beat.js';
import type { FlightLog } from './flight-log.js';
import type { PlanVault } from './plan-vault.js';
import type { TraceHub } from './trace-hub.js';

/** What every activity gets from the worker, by argument. */
export interface SharedDeps {
  store: Store;
  plans: PlanVault;
  hub: TraceHub;
  logger: Logger;
  metrics: WorkerMetrics;
  flight: FlightLog;
  lifecycle: Lifecycle;
}

/** What the activities of one engine get besides. */
export interface EngineDeps extends SharedDeps {
  engine: Engine;
  /** Wakes whoever waits for a free slot, and lets the last sample of the machine age out. */
  machineReleased(machine: string): void;
}
