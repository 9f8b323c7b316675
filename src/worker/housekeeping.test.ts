import { it } from 'vitest';
import type { Client } from '@temporalio/client';
import type { Engine } from '../machines/engine.js';
import { silentLogger } from '../telemetry/logger.js';
import type { WorkerMetrics } from '../telemetry/metrics.js';
import { createHousekeeping } from './housekeeping.js';

const never = <T>() => new Promise<T>(() => undefined);

function housekeepingFor(engine: Partial<Engine>, state?: object) {
  const handle = { query: () => Promise.resolve(state) };
  return createHousekeeping({
    engines: [engine as Engine],
    client: { workflow: { getHandle: () => handle, count: never } } as unknown as Client,
    logger: silentLogger,
    metrics: {} as WorkerMetrics,
    sweepIntervalMs: 60_000,
    stopMs: 50,
  });
}

it('stops although the engine answers neither the sweep that is under way nor the removal of warm sandboxes', async () => {
  const housekeeping = housekeepingFor({ name: 'silent', sweep: never, dropWarm: never });
  housekeeping.start();

  await housekeeping.stop();
});
