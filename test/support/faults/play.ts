import type { JobHandle } from '../../../src/client.js';
import type { CiJobResult } from '../../../src/contracts/ci-job.js';
import { until } from '../processes.js';
import type { Stack } from '../stack.js';
import { examine, readTrace } from './examine.js';
import type { Ground } from './ground.js';
import { isEnding, letEnd, numberedJob, type NumberedJob } from './numbered-job.js';
import { brokenPromises, sumOfFigures } from './report.js';
import type { Figures, Scenario, Scene } from './scenario.js';
import { startSubject, type Subject } from './subject.js';
import { watchTrace, type TraceWatch } from './trace-watch.js';

const RESULT_MS = 150_000;
const LINE_MS = 90_000;
/** More than any scenario gives it: how long it stood still is a figure, not a failure here. */
const MOVED_MS = 150_000;

/** One of the jobs of a scenario. */
interface Player {
  job: NumberedJob;
  subject: Subject;
  handle: JobHandle;
  watch: TraceWatch;
}

/** @param alone nothing else runs on the ground, so whatever is on its engine in the end is left over */
export async function playScenario(ground: Ground, scenario: Scenario, alone = true): Promise<Figures> {
  const { stack } = ground;
  await scenario.prepare?.(ground);
  const begun = Date.now();
  const players: Player[] = [];
  let repairedAt: number | undefined;
  try {
    for (let count = 0; count < (scenario.jobs ?? 1); count++) players.push(await startPlayer(ground, scenario));
    const first = present(players[0], 'a job');
    const scene = sceneOf(ground, players, first, () => (repairedAt = Date.now()));
    await scenario.run(scene).catch(async (error: unknown) => {
      throw await withState(error, stack, first.handle);
    });
    await Promise.all(players.map((player) => endWhenMoved(player, stack, repairedAt)));
    const results = await Promise.all(players.map(({ handle }) => withLimit(handle.result())));
    await scenario.after?.(scene, results[0]);
    const figures = await Promise.all(
      players.map((player, index) => figuresOf(ground, player, { result: results[index], repairedAt, alone })),
    );
    const sum = { ...sumOfFigures(figures), scenario: scenario.name, tookSeconds: (Date.now() - begun) / 1000 };
    return { ...sum, broken: figures.flatMap((one) => brokenPromises(one, scenario)) };
  } finally {
    for (const { job, watch } of players) {
      watch.stop();
      letEnd(job, stack.shared);
    }
  }
}

/** A lasting job has shown what it was for when its trace has moved after the repair. */
async function endWhenMoved({ job, watch }: Player, stack: Stack, repairedAt: number | undefined): Promise<void> {
  if (job.lines !== 'lasting') return;
  if (repairedAt !== undefined && !isEnding(job, stack.shared)) {
    await until('the trace to move', () => watch.movedAfter(repairedAt) !== undefined, MOVED_MS).catch(() => undefined);
  }
  letEnd(job, stack.shared);
}

async function startPlayer(ground: Ground, scenario: Scenario): Promise<Player> {
  const job = numberedJob(scenario.job);
  const subject = await startSubject(ground, job, scenario.gitlab);
  const watch = watchTrace(() => subject.traceSize());
  try {
    return { job, subject, watch, handle: await subject.handle() };
  } catch (error) {
    watch.stop();
    throw error;
  }
}

async function figuresOf(
  ground: Ground,
  { job, subject, handle, watch }: Player,
  { result, repairedAt, alone }: { result: CiJobResult | undefined; repairedAt: number | undefined; alone: boolean },
): Promise<Figures> {
  const moved = repairedAt === undefined ? undefined : watch.movedAfter(repairedAt);
  return await examine(ground, {
    name: job.id,
    job,
    subject,
    handle,
    result,
    alone,
    secondsUntilMoved: moved === undefined || repairedAt === undefined ? null : (moved - repairedAt) / 1000,
    tookSeconds: 0,
  });
}

function sceneOf(ground: Ground, players: readonly Player[], first: Player, repaired: () => void): Scene {
  const { stack } = ground;
  const { job, subject, handle } = first;
  const traceOf = async (of: Subject) => (await readTrace(stack, of.workflowId)).toString('utf8');
  const line = (number: number, of: Player) =>
    until(
      `line ${String(number)}`,
      async () => (await traceOf(of.subject)).includes(`line ${String(number)} of ${of.job.id}\n`),
      LINE_MS,
    );
  return {
    ground,
    stack,
    job,
    handle,
    handles: players.map((player) => player.handle),
    trace: () => traceOf(subject),
    repaired,
    gitlab: () => present(ground.gitlab, 'a coordinator'),
    remote: () => present(subject.remote, 'a job of the coordinator'),
    status: () => handle.status(),
    line: async (number) => {
      await Promise.all(players.map((player) => line(number, player)));
    },
    more: async (count) => {
      const [, last = '0'] = [...(await traceOf(subject)).matchAll(/^line (\d+) of /gm)].at(-1) ?? [];
      await line(Number(last) + count, first);
    },
    letEnd: () => {
      for (const player of players) letEnd(player.job, stack.shared);
    },
    step: (name) =>
      until(
        `step ${name}`,
        async () => (await handle.status()).steps.some((step) => step.name === name && step.state === 'running'),
        LINE_MS,
      ),
  };
}

/** Says how the job stood when a scenario could not go on. */
async function withState(error: unknown, stack: Stack, handle: JobHandle): Promise<Error> {
  const status: unknown = await handle.flight().catch(String);
  const containers = stack.leftovers().join(', ');
  return new Error(`${String(error)}\nThe job: ${JSON.stringify(status)}\nOn the engine: ${containers}`, {
    cause: error,
  });
}

export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`This scenario needs ${what}`);
  return value;
}

/** A job without a result after this time is lost. */
async function withLimit(result: Promise<CiJobResult>): Promise<CiJobResult | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), RESULT_MS);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}
