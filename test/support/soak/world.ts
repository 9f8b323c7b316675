import { setTimeout as delay } from 'node:timers/promises';
import type { Ground } from '../faults/ground.js';
import type { Process } from '../processes.js';

/** The ground of a soak with one supervisor: a worker that ends before it is ready is started again. */
export interface World {
  ground: Ground;
  say(text: string): void;
  /** The worker with the ports of the configuration. */
  main: Process;
  /** Another one beside it, for the time of a fault. */
  startBeside(): Promise<Process>;
  startMain(): Promise<void>;
  /** What was broken when; `to` is Infinity while it still is. */
  broken: { part: string; from: number; to: number }[];
}

const START_MS = 150_000;

export function createWorld(ground: Ground, say: (text: string) => void): World {
  const world: World = {
    ground,
    say,
    main: ground.stack.worker(),
    broken: [],
    startBeside: () => supervised({ beside: true }),
    async startMain() {
      world.main = await supervised({});
    },
  };

  /** As systemd would: what a worker needs may be broken just now. */
  async function supervised(options: { beside?: boolean }): Promise<Process> {
    for (const deadline = Date.now() + START_MS; ;) {
      try {
        return await ground.stack.startWorker(options);
      } catch (error) {
        if (Date.now() > deadline) throw error;
        say(`a worker did not come up, another try: ${String(error)}`);
        await delay(500);
      }
    }
  }

  return world;
}
