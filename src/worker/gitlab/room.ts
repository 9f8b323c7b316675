import type { Engine } from '../../machines/engine.js';
import { createBell } from './bell.js';

/** A job of the pool that is not over, as Temporal's visibility shows it (a moment late). */
export interface OpenJob {
  workflowId: string;
  state: string;
  startedAtMs: number;
  /** The `gitlab[]` entry that it came from, if any. */
  entry: string | undefined;
}

export interface RoomDeps {
  /** Those of this worker that serve the pool; one that is out of rotation has no free slots, whatever it says. */
  engines: readonly (Pick<Engine, 'freeSlots'> & { isOut(): boolean })[];
  /** Jobs of the pool, wherever they came from. @throws when Temporal cannot be reached */
  openJobs(): Promise<OpenJob[]>;
  now: () => number;
}

/**
 * Whether a pool can take one more job from GitLab. A job that would wait here is better left at GitLab, where another runner
 * may take it: so there must be a free machine that no job already waits for.
 */
export interface Room {
  hasRoomFor(entry: { name: string; limit: number }, inHand: number, signal: AbortSignal): Promise<boolean>;
  /** A workflow was started: its machine is as good as taken. */
  started(workflowId: string, entry: string): void;
  /** A machine was leased to a job. */
  leased(workflowId: string): void;
  /** Jobs that were started a moment ago and have no machine yet, as far as this process knows. */
  withoutMachine(): string[];
  /** GitLab has the final status, or does not want it. */
  ended(workflowId: string): void;
  /** A machine was given back. */
  released(): void;
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** How far visibility may lag, and how long a started job may take to its lease before its slot counts as free again. */
const SETTLING_MS = 3_000;

export function createRoom(deps: RoomDeps): Room {
  const bell = createBell();
  const recent = new Map<string, { entry: string; atMs: number; leased: boolean }>();

  function forgetSettled(): void {
    for (const [id, { atMs }] of recent) {
      const ageMs = deps.now() - atMs;
      // Younger than nothing: the clock was set back, and would hold its place until it is there again.
      if (ageMs > SETTLING_MS || ageMs < 0) recent.delete(id);
    }
  }

  async function freeSlots(signal: AbortSignal): Promise<number> {
    const inRotation = deps.engines.filter((engine) => !engine.isOut());
    const free = await Promise.all(inRotation.map((engine) => engine.freeSlots({ signal })));
    return free.reduce((sum, count) => sum + count, 0);
  }

  return {
    async hasRoomFor(entry, inHand, signal) {
      forgetSettled();
      const promised = [...recent.values()].filter(({ leased }) => !leased).length + inHand;
      if ((await freeSlots(signal)) <= promised) return false;
      const open = await deps.openJobs();
      const settledAtMs = deps.now() - SETTLING_MS;
      if (open.some((job) => job.state === 'pending' && job.startedAtMs < settledAtMs)) return false;
      const ours = new Set(open.filter((job) => job.entry === entry.name).map((job) => job.workflowId));
      for (const [id, job] of recent) if (job.entry === entry.name) ours.add(id);
      return ours.size + inHand < entry.limit;
    },
    started(workflowId, entry) {
      recent.set(workflowId, { entry, atMs: deps.now(), leased: false });
    },
    leased(workflowId) {
      const job = recent.get(workflowId);
      if (job !== undefined) job.leased = true;
      bell.ring();
    },
    withoutMachine: () => [...recent].filter(([, { leased }]) => !leased).map(([id]) => id),
    ended(workflowId) {
      recent.delete(workflowId);
      bell.ring();
    },
    released: () => bell.ring(),
    wait: (ms, signal) => bell.wait(ms, signal),
  };
}
