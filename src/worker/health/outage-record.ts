import type { EngineOutage } from '../../contracts/engine-outage.js';
import { CONFIRM_EVERY_MS, isCurrent, parseOutage } from '../../store/engine-outages.js';
import { outageKeys } from '../../store/keys.js';
import type { Store } from '../../store/store.js';
import type { Logger } from '../../telemetry/logger.js';

/** A worker that ends does not wait longer for its store. */
const CLOSE_PATIENCE_MS = 2_000;

export type ToldOutage = Pick<EngineOutage, 'kind' | 'since' | 'failures' | 'last' | 'nextProbeAt'>;

/** What one worker says of one engine, where clients can read it. Nothing waits for it: the store may be what is failing. */
export interface OutageRecord {
  /** Said again and again until it is told otherwise. */
  tell(outage: ToldOutage): void;
  clear(): void;
  /** Clears, waits a moment for that, and takes no more. */
  close(): Promise<void>;
}

/** Takes away what an earlier worker of this name, or one that died, has left of the engine. */
export function createOutageRecord(deps: {
  store: Store;
  engine: { name: string; pools: readonly string[] };
  worker: string;
  logger: Logger;
  confirmEveryMs?: number;
}): OutageRecord {
  const { store, engine, worker, logger } = deps;
  const key = outageKeys.worker(engine.name, worker);
  let wanted: ToldOutage | undefined;
  let closed = false;
  let stale = false;
  let writing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  async function write(): Promise<void> {
    if (wanted === undefined) return await store.remove(key);
    const confirmedAt = new Date().toISOString();
    const outage: EngineOutage = { engine: engine.name, pools: [...engine.pools], worker, ...wanted, confirmedAt };
    await store.write(key, JSON.stringify(outage));
  }

  /** One write at a time; what changes meanwhile is one more. */
  function bringUpToDate(first: () => Promise<void> = write): void {
    if (writing !== undefined) {
      stale = true;
      return;
    }
    writing = first()
      .catch((error: unknown) => {
        logger.warn(
          { engine: engine.name, error: String(error) },
          'The state of the engine could not be kept in the store',
        );
      })
      .finally(() => {
        writing = undefined;
        if (!stale) return;
        stale = false;
        bringUpToDate();
      });
  }

  async function removeLeftovers(): Promise<void> {
    for (const left of await store.list(outageKeys.engine(engine.name))) {
      const outage = left === key ? undefined : parseOutage(await store.read(left));
      if (outage === undefined || !isCurrent(outage, Date.now())) await store.remove(left);
    }
  }

  function clear(): void {
    clearInterval(timer);
    timer = undefined;
    if (wanted === undefined) return;
    wanted = undefined;
    bringUpToDate();
  }

  bringUpToDate(removeLeftovers);
  return {
    tell(outage) {
      if (closed) return;
      wanted = outage;
      timer ??= setInterval(bringUpToDate, deps.confirmEveryMs ?? CONFIRM_EVERY_MS);
      timer.unref();
      bringUpToDate();
    },
    clear,
    async close() {
      closed = true;
      clear();
      const deadline = AbortSignal.timeout(CLOSE_PATIENCE_MS);
      const late = new Promise<void>((resolve) => deadline.addEventListener('abort', () => resolve(), { once: true }));
      while (writing !== undefined && !deadline.aborted) await Promise.race([writing, late]);
    },
  };
}
