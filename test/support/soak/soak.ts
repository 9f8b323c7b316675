import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { startGround } from '../faults/ground.js';
import { mayMount, mountFileSystem } from '../faults/own-file-system.js';
import { figuresTable } from '../faults/report.js';
import type { Figures } from '../faults/scenario.js';
import { until } from '../processes.js';
import { playTrouble } from './break.js';
import { judgeAll } from './judge.js';
import { keep } from './keep.js';
import { planOf, type Plan } from './plan.js';
import { beginJob, followJob, type SoakJob } from './soak-job.js';
import { createWorld, type World } from './world.js';

export interface SoakResult {
  figures: Figures[];
  /** Sentences; none: every promise was kept. */
  broken: string[];
  summary: string;
  /** Where the course, the logs and the jobs' lives are. */
  kept: string;
}

/** From the moment in which everything is whole again. */
const ALL_OVER_MS = 240_000;
/** A place in the queue of jobs is given up after so long; the job itself is awaited in the end. */
const LANE_MS = 60_000;
/** A soak of ten minutes keeps a tenth of that. */
const STORE_MEGABYTES = 512;

/**
 * Jobs of all kinds while everything is broken at random; then all is mended, awaited and examined.
 * @param draws `first`: as the first seeds were found
 */
export async function soak(
  seed: number,
  minutes: number,
  print: (line: string) => void,
  draws: Parameters<typeof planOf>[2] = 'all',
): Promise<SoakResult> {
  const plan = planOf(seed, minutes, draws);
  const fileSystem = mayMount() ? mountFileSystem(STORE_MEGABYTES) : undefined;
  const ground = await startGround({
    gitlab: {},
    engineBehindProxy: true,
    stack: {
      engine: { capacity: plan.abreast },
      ...(fileSystem === undefined ? {} : { top: { store: { directory: fileSystem.directory } } }),
    },
  }).catch((error: unknown) => {
    fileSystem?.close();
    throw error;
  });
  const lines: string[] = [];
  const startedAt = Date.now();
  const say = (text: string) => {
    const line = `${((Date.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${text}`;
    lines.push(line);
    print(line);
  };
  const jobs: SoakJob[] = [];
  try {
    say(
      `seed ${String(seed)}, ${String(minutes)} min, ${String(plan.abreast)} jobs at once, ${String(plan.workers)} workers`,
    );
    const world = await createWorld(ground, fileSystem, plan.workers, say);
    await play(world, plan, jobs, startedAt + minutes * 60_000);
    const { figures, broken, unheard } = await judgeAll(world, jobs);
    const summary = summaryOf(plan, world, jobs, { broken: broken.length, unheard });
    const kept = await keep(ground, seed, jobs, [...lines, figuresTable(figures), ...broken, summary]);
    return { figures, broken, summary, kept };
  } catch (error) {
    const kept = await keep(ground, seed, jobs, [...lines, String(error)]);
    throw new Error(`Seed ${String(seed)} did not come to its end; see ${kept}`, { cause: error });
  } finally {
    fileSystem?.mend();
    await ground.close().finally(() => fileSystem?.close());
  }
}

function summaryOf(
  { seed, minutes, workers }: Plan,
  world: World,
  jobs: readonly SoakJob[],
  { broken, unheard }: { broken: number; unheard: number },
): string {
  const lost = unheard === 0 ? '' : ` (${String(unheard)} of them lost on the wire of jobs/request)`;
  const kinds = counted(jobs.map(({ planned }) => planned.kind));
  const faults = counted(world.broken.map(({ fault }) => `${fault.part} ${fault.kind}`));
  return [
    `jobs: ${kinds}`,
    `faults: ${faults}`,
    `soak: seed ${String(seed)}, ${String(minutes)} min, ${String(workers)} workers, ${String(jobs.length)} jobs${lost}, ${String(world.broken.length)} faults, ${String(broken)} broken promises`,
  ].join('\n');
}

/** `3 of one kind, 1 of another` */
function counted(kinds: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([kind, count]) => `${String(count)} ${kind}`)
    .join(', ');
}

/** @param jobs gets those that were begun */
async function play(world: World, plan: Plan, jobs: SoakJob[], until: number): Promise<void> {
  const hopeless = new AbortController();
  // Each job hears of it.
  setMaxListeners(0, hopeless.signal);
  const following: Promise<void>[] = [];
  const planned = plan.jobs[Symbol.iterator]();
  let begun = 0;

  async function lane(): Promise<void> {
    while (Date.now() < until) {
      const { value: next } = planned.next();
      if (next === undefined) return;
      begun += 1;
      const job = await beginJob(world, next, begun);
      jobs.push(job);
      const followed = followJob(world, job, hopeless.signal);
      following.push(followed);
      await Promise.race([followed, delay(LANE_MS)]);
    }
  }

  async function troubles(): Promise<void> {
    for (const trouble of plan.troubles) {
      await delay(trouble.pauseMs);
      if (Date.now() > until) return;
      await playTrouble(world, trouble);
    }
  }

  await Promise.all([troubles(), ...Array.from({ length: plan.abreast }, lane)]);
  world.ground.gitlab?.coordinator.faults.clear();
  world.say('everything is whole; the jobs that are left may end');
  const timer = setTimeout(() => hopeless.abort(), ALL_OVER_MS);
  await Promise.race([Promise.all(following), arrivalsOver(jobs, hopeless)]);
  clearTimeout(timer);
  hopeless.abort();
  await Promise.all(following);
}

/** A job whose hand-over got lost would be waited for in vain: it is when all others are over for a while. */
async function arrivalsOver(jobs: SoakJob[], hopeless: AbortController): Promise<void> {
  const rest = () => jobs.filter((job) => job.overAt === undefined);
  await until(
    'the end of all jobs that have come',
    () =>
      hopeless.signal.aborted ||
      rest().every(({ handle, subject }) => handle === undefined && (subject.remote?.handedOver ?? 0) > 0),
    ALL_OVER_MS + 10_000,
  );
  if (rest().length > 0) await delay(20_000);
}
