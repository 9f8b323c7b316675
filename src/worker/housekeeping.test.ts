import { expect, it } from 'vitest';
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

const HELD = { machine: 'm', job: 'job/1', engine: 'e', createdAt: '', containers: [] };

it.each([
  ['held', { state: 'failed', heldUntil: '2026-01-02T00:00:00Z' }, true],
  ['still to be removed', { state: 'failed', heldUntil: null }, false],
])('a drain, for a machine that is %s', async (_, status, ends) => {
  const housekeeping = housekeepingFor({ list: () => Promise.resolve([HELD]) }, status);
  const cut = new AbortController();
  const timer = setTimeout(() => cut.abort(), 1_500);

  await housekeeping.drain(cut.signal);
  clearTimeout(timer);

  expect(cut.signal.aborted).toBe(!ends);
});
