import { EngineOutage } from '../contracts/engine-outage.js';
import { outageKeys } from './keys.js';
import type { Store } from './store.js';

/** How often a worker says that an outage still holds. */
export const CONFIRM_EVERY_MS = 20_000;

/** What was not confirmed for so long is a worker's that is gone: nobody knows whether it still holds. */
export const CURRENT_FOR_MS = 90_000;

/**
 * The outages that a worker has confirmed a moment ago, oldest first.
 * @param filter.pool only engines of this pool
 * @throws StoreError
 */
export async function readOutages(
  store: Store,
  filter: { engine?: string; pool?: string } = {},
  now: () => number = Date.now,
): Promise<EngineOutage[]> {
  const prefix = filter.engine === undefined ? outageKeys.all() : outageKeys.engine(filter.engine);
  const keys = await store.list(prefix);
  const read = await Promise.all(keys.map(async (key) => parseOutage(await store.read(key))));
  return read
    .filter((outage) => outage !== undefined)
    .filter((outage) => isCurrent(outage, now()))
    .filter(({ pools }) => filter.pool === undefined || pools.includes(filter.pool))
    .sort((a, b) => a.since.localeCompare(b.since) || a.worker.localeCompare(b.worker));
}

/** A time to come is of a clock that was set back since: it proves as little as one long past. */
export function isCurrent({ confirmedAt }: Pick<EngineOutage, 'confirmedAt'>, nowMs: number): boolean {
  return Math.abs(nowMs - Date.parse(confirmedAt)) <= CURRENT_FOR_MS;
}

/** @returns undefined for what a worker of another version wrote in words that this one does not know */
export function parseOutage(content: Buffer | undefined): EngineOutage | undefined {
  if (content === undefined) return undefined;
  try {
    return EngineOutage.safeParse(JSON.parse(content.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
