import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../faults/play.js';
import type { Proxy } from '../faults/proxy.js';
import { describeFault, type LinkFault, type PlannedFault, type Trouble } from './plan.js';
import type { World } from './world.js';

/** Breaks what the trouble says, and returns when it is whole again. */
export async function playTrouble(world: World, { faults, apartMs }: Trouble): Promise<void> {
  await Promise.all(
    faults.map(async (fault, index) => {
      await delay(index * apartMs);
      await playFault(world, fault);
    }),
  );
}

async function playFault(world: World, fault: PlannedFault): Promise<void> {
  const name = describeFault(fault);
  const entry = { part: fault.part, from: Date.now(), to: Number.POSITIVE_INFINITY };
  world.broken.push(entry);
  world.say(`FAULT ${name}`);
  await breakAndMend(world, fault);
  entry.to = Date.now();
  world.say(`whole again: ${name.split(' (')[0] ?? ''}`);
}

async function breakAndMend(world: World, fault: PlannedFault): Promise<void> {
  switch (fault.part) {
    case 'worker':
      return breakWorker(world, fault);
    case 'temporal':
      return breakTemporal(world, fault);
    case 'engine':
      return breakLink(present(world.ground.engineLink, 'an engine behind a proxy'), fault);
    case 'coordinator': {
      const { link, coordinator } = present(world.ground.gitlab, 'a coordinator');
      if (fault.kind === 'link') return breakLink(link, fault);
      const { endpoint, action, times } = fault;
      coordinator.faults.add({ endpoint, action, times });
    }
  }
}

async function breakWorker(world: World, fault: Extract<PlannedFault, { part: 'worker' }>): Promise<void> {
  const old = world.main;
  switch (fault.kind) {
    case 'killed':
      await old.stop('SIGKILL');
      await delay(fault.awayMs);
      return world.startMain();
    case 'terminated': {
      const beside = fault.successor === 'before' ? await world.startBeside() : undefined;
      await old.stop('SIGTERM');
      await delay(fault.awayMs);
      await world.startMain();
      return beside?.stop('SIGTERM');
    }
    case 'paused': {
      const { ms, successorAfterMs, then, successorEnds } = fault;
      const over = delay(ms);
      old.kill('SIGSTOP');
      await delay(successorAfterMs);
      const beside = await world.startBeside();
      await over;
      if (then === 'continued') old.kill('SIGCONT');
      else {
        await old.stop('SIGKILL');
        await world.startMain();
      }
      // Both are there for a moment.
      await delay(3_000);
      return beside.stop(successorEnds);
    }
  }
}

async function breakTemporal(world: World, fault: Extract<PlannedFault, { part: 'temporal' }>): Promise<void> {
  const { stack } = world.ground;
  if (fault.kind === 'killed') {
    await stack.temporal().stop('SIGKILL');
    await delay(fault.awayMs);
    return stack.startTemporal();
  }
  stack.temporal().kill('SIGSTOP');
  await delay(fault.ms);
  stack.temporal().kill('SIGCONT');
}

async function breakLink(link: Proxy, { how, ms }: LinkFault): Promise<void> {
  if (how === 'forget') return link.forget();
  if (how === 'cut') await link.cut();
  else link.stall();
  await delay(ms);
  await link.restore();
}
