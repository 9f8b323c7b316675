import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../faults/play.js';
import type { Proxy } from '../faults/proxy.js';
import { breakWorker } from './break-worker.js';
import { describeFault, type LinkFault, type PlannedFault, type Trouble } from './plan.js';
import type { Broken, World } from './world.js';

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
  const entry = { fault, from: Date.now(), to: Number.POSITIVE_INFINITY };
  world.broken.push(entry);
  world.say(`FAULT ${name}`);
  if (fault.part === 'coordinator' && fault.kind === 'answers') return void breakAnswers(world, fault, entry);
  await breakAndMend(world, fault);
  entry.to = Date.now();
  world.say(`whole again: ${name.split(' (')[0] ?? ''}`);
}

/** Meets requests to come: what else happens need not wait for that. */
async function breakAnswers(
  world: World,
  { endpoint, action, times }: Extract<PlannedFault, { kind: 'answers' }>,
  entry: Broken,
): Promise<void> {
  const { faults } = present(world.ground.gitlab, 'a coordinator').coordinator;
  faults.add({ endpoint, action, times });
  // In the end of a soak all are taken away.
  while (faults.unused().some((unused) => unused.action === action)) await delay(100);
  // The last one is under way.
  if ('ms' in action) await delay(action.ms);
  entry.to = Date.now();
  world.say(`whole again: coordinator answers of ${endpoint}`);
}

async function breakAndMend(
  world: World,
  fault: Exclude<PlannedFault, { part: 'coordinator'; kind: 'answers' }>,
): Promise<void> {
  const { engineLink, gitlab } = world.ground;
  switch (fault.part) {
    case 'worker':
      return breakWorker(world, fault);
    case 'temporal':
      return breakTemporal(world, fault);
    case 'engine':
      return breakLink(present(engineLink, 'an engine behind a proxy'), fault);
    case 'coordinator':
      return breakLink(present(gitlab, 'a coordinator').link, fault);
    case 'prometheus':
      return breakPrometheus(world, fault);
    case 'store':
      return breakStore(world, fault);
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

async function breakPrometheus(world: World, { awayMs }: Extract<PlannedFault, { part: 'prometheus' }>): Promise<void> {
  const { stack } = world.ground;
  await stack.stopPrometheus();
  await delay(awayMs);
  await stack.startPrometheus();
}

async function breakStore(
  { fileSystem, say }: World,
  { kind, ms }: Extract<PlannedFault, { part: 'store' }>,
): Promise<void> {
  if (fileSystem === undefined) return say('only root may break a store: left out');
  if (kind === 'full') await fileSystem.fill();
  else await fileSystem.makeReadOnly();
  await delay(ms);
  fileSystem.mend();
}

async function breakLink(link: Proxy, { how, ms }: LinkFault): Promise<void> {
  if (how === 'forget') return link.forget();
  if (how === 'cut') await link.cut();
  else link.stall();
  await delay(ms);
  await link.restore();
}
