import { startCoordinator, type TestCoordinator } from '../coordinator/coordinator.js';
import { startStack, type Stack } from '../stack.js';

/**
 * One GitLab with its own `gitlab:` entry in the worker's configuration, for one scenario at a time: what is broken in it, and
 * what it complains of, concerns that scenario alone, while all share one worker, one Temporal and one engine.
 */
export interface Lane {
  readonly entry: string;
  readonly coordinator: TestCoordinator;
}

export interface Lanes {
  readonly stack: Stack;
  /** Waits for a lane of the kind and keeps it while `work` runs. */
  use<T>(kind: string, work: (lane: Lane) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** A kind of `gitlab:` entry. Scenarios choose by `entry:`. */
export interface LaneKind {
  count: number;
  /** Settings of the entry. */
  settings?: Record<string, unknown>;
}

/** Longer than a scenario keeps its GitLab waiting, shorter than a request may take. */
const LONG_POLL_MS = 20_000;

/**
 * @param options.engines engines besides the usual one, by their pool; a kind of lane leads to one by `pool`
 */
export async function startLanes(options: {
  kinds: Record<string, LaneKind>;
  engine?: object;
  /** By pool. */
  engines?: Record<string, object>;
  metrics?: object;
}): Promise<Lanes> {
  const lanes: (Lane & { kind: string })[] = [];
  for (const [kind, { count }] of Object.entries(options.kinds)) {
    for (let index = 1; index <= count; index++) {
      const coordinator = await startCoordinator({ longPollMs: LONG_POLL_MS });
      lanes.push({ kind, entry: `${kind}-${String(index)}`, coordinator });
    }
  }
  const gitlab = lanes.map(({ kind, entry, coordinator }) => ({
    name: entry,
    url: coordinator.url,
    token: coordinator.runnerToken,
    ...options.kinds[kind]?.settings,
  }));
  const stack = await startStack({
    engine: { capacity: lanes.length + 2, warm: 2, ...options.engine },
    ...(options.engines === undefined ? {} : { engines: options.engines }),
    // With ten jobs at once on a busy machine, a second upload may take longer than the two seconds that are usual.
    metrics: { grace: '6s', ...options.metrics },
    top: { gitlab },
  });
  const free = new Map<string, Lane[]>();
  for (const lane of lanes) free.set(lane.kind, [...(free.get(lane.kind) ?? []), lane]);
  const waiting: { kind: string; take: (lane: Lane) => void }[] = [];

  function giveBack(kind: string, lane: Lane): void {
    const next = waiting.findIndex((entry) => entry.kind === kind);
    if (next === -1) free.get(kind)?.push(lane);
    else waiting.splice(next, 1)[0]?.take(lane);
  }

  return {
    stack,
    async use(kind, work) {
      const known = free.get(kind);
      if (known === undefined) {
        throw new Error(`No entry "${kind}": there are ${[...free.keys()].join(', ')}`);
      }
      const lane = known.pop() ?? (await new Promise<Lane>((take) => waiting.push({ kind, take })));
      try {
        return await work(lane);
      } finally {
        giveBack(kind, lane);
      }
    },
    async close() {
      await stack.close();
      await Promise.all(lanes.map(({ coordinator }) => coordinator.close()));
    },
  };
}
