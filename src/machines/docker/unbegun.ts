import type { OurContainer } from './inventory.js';

/** A machine that is made is used at once, unless who made it has died, or cannot reach the engine. */
const PATIENCE_MS = 5_000;
/** What was there when this process first looked is another one's: of one that goes on elsewhere, or, more often, that has died. */
const FOUND_PATIENCE_MS = 1_000;

export interface UnbegunMachines {
  /** How many slots are held, for a while now, by machines in which nothing has run yet. */
  count(containers: readonly OurContainer[]): number;
}

/**
 * A slot is leased before its machine is whole. When the maker is lost in between, the slot is held for a job whose provisioning
 * waits for a slot: it must get its turn all the same, and goes on with what is there.
 */
export function createUnbegunMachines(now: () => number): UnbegunMachines {
  // When a machine came so far is written nowhere, a warm sandbox being older than its job.
  const cutOffAt = new Map<string, number>();
  let patienceMs = FOUND_PATIENCE_MS;
  return {
    count(containers) {
      const unbegun = new Set(unbegunSandboxes(containers));
      for (const id of cutOffAt.keys()) if (!unbegun.has(id)) cutOffAt.delete(id);
      for (const id of unbegun) if (!cutOffAt.has(id)) cutOffAt.set(id, now() + patienceMs);
      patienceMs = PATIENCE_MS;
      return [...cutOffAt.values()].filter((ms) => now() >= ms).length;
    },
  };
}

/** Sandboxes that hold a slot, and which no container has joined that was ever started. */
export function unbegunSandboxes(containers: readonly OurContainer[]): string[] {
  const begun = new Set(containers.filter(({ state }) => state !== 'created').map(({ sandbox }) => sandbox));
  return containers.filter(({ id, slot }) => slot !== undefined && !begun.has(id)).map(({ id }) => id);
}
