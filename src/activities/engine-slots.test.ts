import { setImmediate as turn } from 'node:timers/promises';
import type { SlotReserveContext } from '@temporalio/worker';
import { expect, it, vi } from 'vitest';
import type { Engine } from '../machines/engine.js';
import type { Logger } from '../telemetry/logger.js';
import { createEngineSlots } from './engine-slots.js';

it('ends a wait for a free slot with the reason why it is to end: Temporal logs any other error as a failure', async () => {
  const provisionableSlots = vi.fn(() => Promise.resolve(0));
  const slots = createEngineSlots(
    { name: 'full', provisionableSlots } as Partial<Engine> as Engine,
    { warn: vi.fn() } as Partial<Logger> as Logger,
    { isOut: () => false, answered: () => undefined, silent: () => undefined },
  );
  const stop = new AbortController();
  const reason = new Error('the worker stops');

  const reserved = slots.reserveSlot({} as SlotReserveContext, stop.signal);
  // It has asked, and waits.
  await turn();
  stop.abort(reason);

  await expect(reserved).rejects.toBe(reason);
  expect(provisionableSlots).toHaveBeenCalledTimes(1);
});
