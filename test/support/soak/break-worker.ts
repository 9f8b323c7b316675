import { setTimeout as delay } from 'node:timers/promises';
import type { PlannedFault } from './plan.js';
import type { Seat, World } from './world.js';

type WorkerFault = Extract<PlannedFault, { part: 'worker' }>;

/** Breaks the worker whose turn it is, and returns when its seat is taken again. */
export async function breakWorker(world: World, fault: WorkerFault): Promise<void> {
  const seat = world.nextSeat();
  switch (fault.kind) {
    case 'killed':
      await world.killWorker(seat.process);
      await delay(fault.awayMs);
      return world.start(seat);
    case 'terminated':
      return replaced(world, seat, fault.successor, async () => {
        await seat.process.stop('SIGTERM');
        await delay(fault.awayMs);
      });
    case 'drained':
      return replaced(world, seat, fault.successor, async () => {
        const { process } = seat;
        process.kill('SIGQUIT');
        await Promise.race([process.exited, delay(fault.patienceMs)]);
        await process.stop('SIGTERM');
      });
    case 'paused':
      return paused(world, seat, fault);
  }
}

async function replaced(
  world: World,
  seat: Seat,
  successor: 'before' | 'after',
  end: () => Promise<void>,
): Promise<void> {
  const beside = successor === 'before' ? await world.startBeside() : undefined;
  await end();
  await world.start(seat);
  await beside?.stop('SIGTERM');
}

async function paused(
  world: World,
  seat: Seat,
  { ms, successorAfterMs, then, successorEnds }: Extract<WorkerFault, { kind: 'paused' }>,
): Promise<void> {
  const over = delay(ms);
  const old = seat.process;
  old.kill('SIGSTOP');
  await delay(successorAfterMs);
  const beside = await world.startBeside();
  await over;
  if (then === 'continued') old.kill('SIGCONT');
  else {
    await world.killWorker(old);
    await world.start(seat);
  }
  // Both are there for a moment.
  await delay(3_000);
  await (successorEnds === 'SIGKILL' ? world.killWorker(beside) : beside.stop(successorEnds));
}
