import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { faultOf } from '../contracts/faults.js';
import type { Engine } from '../machines/engine.js';
import type { Logger } from '../telemetry/logger.js';

const FIRST_PROBE_MS = 2_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

/** Whether an engine is in rotation: one that fails job after job is poison for all that wait. */
export interface EngineHealth {
  /** A machine was made, so the engine works. */
  succeeded(): void;
  /** @param code of the failure; those that are not the engine's do not count */
  failed(code: string): void;
  isOut(): boolean;
  stop(): void;
}

/** Tells how each provisioning on the engine ended; for the workers of its pools. */
export function watchingInterceptor(health: EngineHealth): ActivityInterceptorsFactory {
  return () => ({
    inbound: {
      async execute(input, next) {
        try {
          const result: unknown = await next(input);
          health.succeeded();
          return result;
        } catch (error) {
          if (!(error instanceof CancelledFailure)) {
            health.failed((error instanceof ApplicationFailure ? error.type : undefined) ?? 'UNEXPECTED');
          }
          throw error;
        }
      },
    },
  });
}

export interface EngineHealthDeps {
  engine: Pick<Engine, 'name' | 'probe'>;
  /** Failures in a row that take the engine out; 0: it always stays. */
  limit: number;
  logger: Logger;
  /** 1 while it is out. */
  gauge: { set(labels: { engine: string }, value: number): void };
  /** The engine is back: whoever waits for a slot may ask again. */
  back(): void;
  firstProbeMs?: number;
}

/** Counts the failures in a row, and probes an engine that is out until it makes a sandbox again. Waiting jobs stay in their queue. */
export function createEngineHealth(deps: EngineHealthDeps): EngineHealth {
  const { engine, limit, logger, gauge } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  let inARow = 0;
  let out = false;
  gauge.set({ engine: engine.name }, 0);

  function setOut(value: boolean): void {
    out = value;
    inARow = 0;
    gauge.set({ engine: engine.name }, value ? 1 : 0);
  }

  async function probeUntilBack(): Promise<void> {
    for (let pauseMs = deps.firstProbeMs ?? FIRST_PROBE_MS; !signal.aborted;) {
      await delay(pauseMs, undefined, { signal });
      try {
        await engine.probe({ signal });
        setOut(false);
        logger.info({ engine: engine.name }, 'The engine makes machines again and is back in rotation');
        deps.back();
        return;
      } catch (error) {
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
        logger.warn(
          { engine: engine.name, error: String(error), nextProbeInMs: pauseMs },
          'The engine stays out of rotation: it could not make a sandbox',
        );
      }
    }
  }

  return {
    succeeded() {
      inARow = 0;
    },
    failed(code) {
      const { fault } = faultOf(code);
      if (out || limit === 0 || code.startsWith('STORE_') || (fault !== 'provider' && fault !== 'runner')) return;
      inARow += 1;
      if (inARow < limit) return;
      logger.error(
        { engine: engine.name, failures: inARow, last: code },
        'The engine is taken out of rotation: it failed job after job. Jobs wait for another engine of the pool, or until it is well',
      );
      setOut(true);
      probeUntilBack().catch(() => undefined); // stopped
    },
    isOut: () => out,
    stop: () => stopping.abort(),
  };
}
