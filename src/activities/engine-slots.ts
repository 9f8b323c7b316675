import { setTimeout as delay } from 'node:timers/promises';
import type { ActivitySlotInfo, CustomSlotSupplier, SlotPermit } from '@temporalio/worker';
import type { Engine } from '../machines/engine.js';
import type { Logger } from '../telemetry/logger.js';

/** How often a full engine is asked again when nobody here has released a machine: another worker may have. */
const ASK_AGAIN_MS = 1_000;

/**
 * Temporal's own queue is the job queue: this supplier hands out a slot for `provisionMachine` only while the engine has one free
 * (or one whose provisioning was cut off), so a job that must wait costs nothing and any other engine of the pool may take it.
 *
 * It is a throttle, not the lease: two workers of one engine may both see the last free slot, and then the lease (a container
 * name) decides and the loser's activity is retried.
 */
export interface EngineSlots extends CustomSlotSupplier<ActivitySlotInfo> {
  /** A machine of this engine was released: ask at once. */
  released(): void;
}

/** What the supplier asks, and tells, of the engine's health. */
export interface SlotHealth {
  /** Out of rotation: no slot, and the jobs stay in the queue for another engine. */
  isOut(): boolean;
  answered(): void;
  silent(error: unknown): void;
}

export function createEngineSlots(engine: Engine, logger: Logger, health: SlotHealth): EngineSlots {
  let promised = 0;
  let waiting: (() => void)[] = [];

  function wake(): void {
    const woken = waiting;
    waiting = [];
    for (const resolve of woken) resolve();
  }

  /** Counts itself in before it asks, so that two reservations never take the same slot. */
  async function promise(signal: AbortSignal): Promise<boolean> {
    if (health.isOut()) return false;
    promised += 1;
    try {
      const free = await engine.provisionableSlots({ signal });
      health.answered();
      if (free >= promised) return true;
    } catch (error) {
      if (!signal.aborted) {
        health.silent(error);
        logger.warn({ engine: engine.name, error: String(error) }, 'The engine cannot say how many slots are free');
      }
    }
    promised -= 1;
    return false;
  }

  return {
    type: 'custom',
    async reserveSlot(_context, signal): Promise<SlotPermit> {
      while (!(await promise(signal))) {
        signal.throwIfAborted();
        await Promise.race([
          new Promise<void>((resolve) => waiting.push(resolve)),
          // Its error is one of its own. Temporal logs any other than the signal's reason as a failure of ours.
          delay(ASK_AGAIN_MS, undefined, { signal }).catch(() => signal.throwIfAborted()),
        ]);
      }
      return {};
    },
    // Provisioning is never dispatched eagerly: it is on a queue of its own.
    tryReserveSlot: () => null,
    markSlotUsed: () => undefined,
    releaseSlot() {
      promised -= 1;
      wake();
    },
    released: wake,
  };
}
