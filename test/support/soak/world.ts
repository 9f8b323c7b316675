import { setTimeout as delay } from 'node:timers/promises';
import type { Ground } from '../faults/ground.js';
import type { OwnFileSystem } from '../faults/own-file-system.js';
import type { Process } from '../processes.js';
import type { PlannedFault } from './plan.js';

/** The ground of a soak with one supervisor: a worker that ends before it is ready is started again. */
export interface World {
  ground: Ground;
  /** Where the store is; absent: this user may not mount one. */
  fileSystem: OwnFileSystem | undefined;
  say(text: string): void;
  /** Those that serve when nothing is broken. The first has the ports of the configuration. */
  seats: Seat[];
  /** Whose turn it is to be broken. */
  nextSeat(): Seat;
  /** Another one beside them, for the time of a fault. */
  startBeside(): Promise<Process>;
  start(seat: Seat): Promise<void>;
  /** `kill -9`, noted. */
  killWorker(worker: Process): Promise<void>;
  /** What was broken when; `to` is Infinity while it still is. */
  broken: Broken[];
  /** Unix milliseconds of each kill -9 of a worker. */
  killedAt: number[];
}

export interface Broken {
  fault: PlannedFault;
  from: number;
  to: number;
}

export interface Seat {
  process: Process;
  beside: boolean;
}

const START_MS = 150_000;

/** @param workers how many serve when nothing is broken */
export async function createWorld(
  ground: Ground,
  fileSystem: OwnFileSystem | undefined,
  workers: number,
  say: (text: string) => void,
): Promise<World> {
  let turn = 0;
  const world: World = {
    ground,
    fileSystem,
    say,
    seats: [{ process: ground.stack.worker(), beside: false }],
    broken: [],
    killedAt: [],
    nextSeat() {
      const seat = world.seats[turn++ % world.seats.length];
      if (seat === undefined) throw new Error('No worker serves');
      return seat;
    },
    startBeside: () => supervised({ beside: true }),
    async start(seat) {
      seat.process = await supervised({ beside: seat.beside });
    },
    async killWorker(worker) {
      world.killedAt.push(Date.now());
      await worker.stop('SIGKILL');
    },
  };

  /** As systemd would: what a worker needs may be broken just now. */
  async function supervised(options: { beside: boolean }): Promise<Process> {
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

  for (let more = 1; more < workers; more++)
    world.seats.push({ process: await supervised({ beside: true }), beside: true });
  return world;
}
