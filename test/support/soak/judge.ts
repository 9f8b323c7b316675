import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { examine, leftoversOf } from '../faults/examine.js';
import { brokenPromises, failedFigures } from '../faults/report.js';
import type { Figures } from '../faults/scenario.js';
import { until } from '../processes.js';
import { expectationOf } from './expectations.js';
import { brokenByKind, toldWrongly } from './judge-job.js';
import { leftInStore } from './left-in-store.js';
import { lonelyVolumes } from './lonely-volumes.js';
import type { SoakJob } from './soak-job.js';
import { standstillsOf } from './standstill.js';
import { errorsOf } from './worker-log.js';
import type { World } from './world.js';

export interface Verdict {
  figures: Figures[];
  broken: string[];
  /** Jobs that GitLab handed over, in a fault, to somebody who could not hear it: not promised (docs/operations.md). */
  unheard: number;
}

/** Metrics may be collected after a job's result. */
const CLOSED_MS = 120_000;
/** Around a hand-over or a final status. */
const WIRE_MS = 3_000;

/** Every invariant, after everything was made whole and all jobs are over. */
export async function judgeAll(world: World, jobs: readonly SoakJob[]): Promise<Verdict> {
  const open = await openWorkflows(world);
  const broken = open.map((id) => `the workflow ${id} is still open`);
  const figures: Figures[] = [];
  let unheard = 0;
  for (const soakJob of jobs) {
    if (wasUnheard(world, soakJob)) {
      unheard += 1;
      continue;
    }
    const judged = await judge(world, soakJob);
    figures.push(judged);
    const name = soakJob.name.split(':')[0] ?? '';
    broken.push(...judged.broken.map((text) => `${name}: ${text} (${soakJob.name}; ${soakJob.subject.workflowId})`));
  }
  const excused = new Set(jobs.flatMap((job) => excusedViolations(world, job)));
  const { violations = [] } = world.ground.gitlab?.coordinator ?? {};
  broken.push(...violations.filter((text) => !excused.has(text)).map((text) => `the coordinator: ${text}`));
  const leftovers = await leftoversOf(world.ground.stack);
  if (leftovers > 0)
    broken.push(`${String(leftovers)} leftovers on the engine: ${world.ground.stack.leftovers().join(', ')}`);
  const { stack } = world.ground;
  broken.push(
    ...(await lonelyVolumes(stack.engine)).map((name) => `the volume ${name} is of no container`),
    ...(await leftInStore(storeOf(world), world.killedAt)),
    ...(await cachesMissing(world, jobs)),
    ...errorsOf(readFileSync(join(stack.directory, 'worker.log'), 'utf8')),
  );
  return { figures, broken, unheard };
}

function storeOf({ fileSystem, ground }: World): string {
  return fileSystem?.directory ?? join(ground.stack.directory, 'store');
}

/** Who has saved one is not told; somebody has, where a job with it succeeded. */
async function cachesMissing({ ground }: World, jobs: readonly SoakJob[]): Promise<string[]> {
  const kept = await ground.stack.client.store.list('cache');
  const origins = new Set(
    jobs
      .filter(({ planned, result }) => planned.kind === 'cached' && result?.state === 'success')
      .map(({ planned }) => planned.from),
  );
  return kept.length < origins.size
    ? [`caches in the store are ${String(kept.length)}, promised are ${String(origins.size)}`]
    : [];
}

async function judge(world: World, soakJob: SoakJob): Promise<Figures> {
  const { ground } = world;
  const { name, job, subject, handle, result, planned, begunAt, overAt } = soakJob;
  if (handle === undefined)
    return failedFigures({ name: name.split(',')[0] ?? '' }, 'the job never came to be a workflow');
  const examined = await examine(ground, {
    name: name.split(',')[0] ?? '',
    job,
    subject,
    handle,
    result,
    alone: false,
    secondsUntilMoved: null,
    tookSeconds: ((overAt ?? Date.now()) - begunAt) / 1000,
  });
  const figures = { ...examined, violations: examined.violations - excusedViolations(world, soakJob).length };
  const expect = expectationOf(planned, figures);
  const broken = [
    ...brokenPromises(figures, { expect }),
    ...(await brokenByKind(soakJob, figures)),
    ...(await toldWrongly(soakJob)),
    ...standstillsOf(soakJob.grewAt, world.broken),
    ...soakJob.seen,
  ];
  return { ...figures, broken };
}

function wasUnheard(world: World, { handle, subject: { remote } }: SoakJob): boolean {
  if (handle !== undefined || remote === undefined || remote.handedOver === 0) return false;
  return wasBroken(world, remote.runningAtMs, ON_THE_WAY);
}

/**
 * Who goes on for a worker that is gone, or on a connection that is, or for one whose word Temporal has lost, cannot know that the final
 * status has arrived: it asks whether the trace has its end, is refused, and takes the job's state for the answer that was lost.
 */
function excusedViolations(world: World, { subject: { remote } }: SoakJob): string[] {
  if (remote?.overAtMs === undefined || !wasBroken(world, remote.overAtMs, [...ON_THE_WAY, 'temporal'])) return [];
  const asked = `trace of job ${String(remote.id)} after its final status`;
  return (world.ground.gitlab?.coordinator.violations ?? []).filter((text) => text === asked).slice(0, 1);
}

type Part = World['broken'][number]['fault']['part'];

/** Between us and GitLab. */
const ON_THE_WAY: readonly Part[] = ['worker', 'coordinator'];

function wasBroken({ broken }: World, at: number, parts: readonly Part[]): boolean {
  return broken.some(
    ({ fault: { part }, from, to }) => parts.includes(part) && from - WIRE_MS < at && at < to + WIRE_MS,
  );
}

async function openWorkflows({ ground }: World): Promise<string[]> {
  const { temporal } = ground.stack.client;
  const open = async () => {
    const ids: string[] = [];
    for await (const { workflowId } of temporal.workflow.list({ query: "ExecutionStatus='Running'" }))
      ids.push(workflowId);
    return ids;
  };
  await until('the end of all workflows', async () => (await open()).length === 0, CLOSED_MS).catch(() => undefined);
  return open();
}
