import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { JobExistsError, type JobHandle } from '../../../src/client.js';
import type { CiJobResult } from '../../../src/contracts/ci-job.js';
import type { Ground } from '../faults/ground.js';
import type { NumberedJob } from '../faults/numbered-job.js';
import { present } from '../faults/play.js';
import { clientSubject, startSubject, type Subject } from '../faults/subject.js';
import { watchTrace } from '../faults/trace-watch.js';
import { describeJob, type PlannedJob } from './plan.js';
import { jobOf } from './jobs.js';
import type { World } from './world.js';

/** A job of the soak, from its beginning on. */
export interface SoakJob {
  name: string;
  planned: PlannedJob;
  job: NumberedJob;
  subject: Subject;
  begunAt: number;
  overAt?: number;
  /** Unix milliseconds of each time at which whoever waits for its trace had more of it. */
  grewAt: number[];
  /** Sentences about what was seen of it while it was open. */
  seen: string[];
  /** Undefined: it has not come to be known as a workflow. */
  handle?: JobHandle;
  result?: CiJobResult;
}

const run = promisify(execFile);
const AGAIN_MS = 500;

/** Starts it, whatever is broken just now: a client that gets an error asks again. */
export async function beginJob(world: World, planned: PlannedJob, number: number): Promise<SoakJob> {
  const job = await jobOf(planned, world.ground.gitlab?.coordinator);
  const subject = await startPatiently(world.ground, planned, job);
  const name = `job ${String(number)}: ${describeJob(planned)}`;
  world.say(`${name} (${subject.workflowId})`);
  return { name, planned, job, subject, begunAt: Date.now(), grewAt: [], seen: [] };
}

async function startPatiently(ground: Ground, planned: PlannedJob, job: NumberedJob): Promise<Subject> {
  if (planned.from === 'gitlab') return startSubject(ground, job, { updateInterval: 1 });
  const { stack } = ground;
  for (;;) {
    try {
      return await startSubject(ground, job);
    } catch (error) {
      // The answer to an earlier try was lost.
      if (error instanceof JobExistsError) return clientSubject(stack, await patiently(() => stack.client.job(job.id)));
      if (!isOutage(error)) throw error;
      await delay(AGAIN_MS);
    }
  }
}

/** Fills in its handle and its result; ends without them when `stop` says that there is no hope any more. */
export async function followJob(world: World, soakJob: SoakJob, stop: AbortSignal): Promise<void> {
  const { subject, planned } = soakJob;
  const { client } = world.ground.stack;
  while (soakJob.handle === undefined && !stop.aborted) {
    // A handle of a whole id says nothing of whether the workflow is there.
    const found = await client.job(subject.workflowId).then(existing, () => undefined);
    if (found === undefined) await delay(AGAIN_MS);
    else soakJob.handle = found;
  }
  const { handle } = soakJob;
  if (handle === undefined) return;
  const watch = watchTrace(() => subject.traceSize(), soakJob.grewAt);
  if (planned.kind === 'canceled') void cancel(world, soakJob, handle);
  if (planned.kind === 'retried') void takeMachine(world, soakJob, handle);
  const hopeless = aborted(stop);
  while (soakJob.result === undefined && !stop.aborted) {
    const result = await Promise.race([handle.result().catch(() => delay(AGAIN_MS, undefined)), hopeless]);
    if (result !== undefined) soakJob.result = result;
  }
  soakJob.overAt = Date.now();
  watch.stop();
  world.say(`over: ${soakJob.name.split(',')[0] ?? ''}: ${soakJob.result?.state ?? 'no result'}`);
  if (planned.kind === 'held') await lookAtHeld(world, soakJob, handle);
}

async function existing(handle: JobHandle): Promise<JobHandle | undefined> {
  return await handle.status().then(
    () => handle,
    () => undefined,
  );
}

async function cancel(world: World, { subject, planned, name }: SoakJob, handle: JobHandle) {
  await delay(planned.strikeAfterMs);
  const { gitlab } = world.ground;
  if (subject.remote !== undefined) {
    present(gitlab, 'a coordinator').coordinator.cancel(subject.remote.id);
  } else await patiently(() => handle.cancel());
  world.say(`canceled: ${name.split(':')[0] ?? ''}`);
}

/** All of it, as when its host goes; by a way of its own to the engine. */
async function takeMachine(world: World, soakJob: SoakJob, handle: JobHandle): Promise<void> {
  await delay(soakJob.planned.strikeAfterMs);
  while (soakJob.overAt === undefined) {
    const { machine } = await patiently(() => handle.status());
    if (machine !== null) {
      const taken = await run('docker', ['rm', '-f', `holdfast-${machine}-build`]).then(
        () => true,
        () => false, // over and released just now
      );
      if (taken) world.say(`its machine taken away: ${soakJob.name.split(':')[0] ?? ''}`);
      return;
    }
    await delay(AGAIN_MS);
  }
}

/** Nothing of a machine that is held may go. Some are released before their time. */
async function lookAtHeld({ ground, say }: World, { planned, subject, seen, name }: SoakJob, handle: JobHandle) {
  const isHeld = async () => Date.parse((await patiently(() => handle.status())).heldUntil ?? '') > Date.now();
  while (await isHeld()) {
    const there = ground.stack.leftovers(subject.workflowId).length;
    if (there === 0 && (await isHeld())) return void seen.push('its machine is gone, and it is told as held');
    if (planned.afterSeconds > 2 && there > 0) {
      await handle.release().catch(() => undefined);
      return say(`released: ${name.split(':')[0] ?? ''}`);
    }
    await delay(1_000);
  }
}

async function patiently<T>(what: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await what();
    } catch (error) {
      if (!isOutage(error)) throw error;
      await delay(AGAIN_MS);
    }
  }
}

/** Everything that the client says of a Temporal that is not there; what is wrong with a job is another thing. */
function isOutage(error: unknown): boolean {
  return error instanceof Error && ['UnreachableError', 'JobNotFoundError', 'ServiceError'].includes(error.name);
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
