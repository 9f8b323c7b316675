import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { startGround } from '../faults/ground.js';
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

/** Jobs of all kinds while everything is broken at random; then all is mended, awaited and examined. */
export async function soak(seed: number, minutes: number, print: (line: string) => void): Promise<SoakResult> {
  const plan = planOf(seed, minutes);
  const ground = await startGround({
    gitlab: {},
    engineBehindProxy: true,
    stack: { engine: { capacity: plan.abreast } },
  });
  const lines: string[] = [];
  const startedAt = Date.now();
  const world = createWorld(ground, (text) => {
    const line = `${((Date.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${text}`;
    lines.push(line);
    print(line);
  });
  const jobs: SoakJob[] = [];
  try {
    world.say(`seed ${String(seed)}, ${String(minutes)} min, ${String(plan.abreast)} jobs at once`);
    const faults = await play(world, plan, jobs, startedAt + minutes * 60_000);
    const { figures, broken, unheard } = await judgeAll(world, jobs);
    const summary = summaryOf(plan, { jobs: jobs.length, faults, broken: broken.length, unheard });
    const kept = await keep(ground, seed, jobs, [...lines, figuresTable(figures), ...broken, summary]);
    return { figures, broken, summary, kept };
  } catch (error) {
    const kept = await keep(ground, seed, jobs, [...lines, String(error)]);
    throw new Error(`Seed ${String(seed)} did not come to its end; see ${kept}`, { cause: error });
  } finally {
    await ground.close();
  }
}

function summaryOf(
  { seed, minutes }: Plan,
  { jobs, faults, broken, unheard }: { jobs: number; faults: number; broken: number; unheard: number },
): string {
  const lost = unheard === 0 ? '' : ` (${String(unheard)} of them lost on the wire of jobs/request)`;
  return `soak: seed ${String(seed)}, ${String(minutes)} min, ${String(jobs)} jobs${lost}, ${String(faults)} faults, ${String(broken)} broken promises`;
}

/** @returns how many faults were played; `jobs` gets those that were begun */
async function play(world: World, plan: Plan, jobs: SoakJob[], until: number): Promise<number> {
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

  async function troubles(): Promise<number> {
    let faults = 0;
    for (const trouble of plan.troubles) {
      await delay(trouble.pauseMs);
      if (Date.now() > until) break;
      faults += trouble.faults.length;
      await playTrouble(world, trouble);
    }
    return faults;
  }

  const [faults] = await Promise.all([troubles(), ...Array.from({ length: plan.abreast }, lane)]);
  world.ground.gitlab?.coordinator.faults.clear();
  world.say('everything is whole; the jobs that are left may end');
  const timer = setTimeout(() => hopeless.abort(), ALL_OVER_MS);
  await Promise.race([Promise.all(following), arrivalsOver(jobs, hopeless)]);
  clearTimeout(timer);
  hopeless.abort();
  await Promise.all(following);
  return faults;
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
