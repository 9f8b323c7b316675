import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultAction } from '../../support/coordinator/faults.js';
import { isOver, type CoordinatorJob } from '../../support/coordinator/job.js';
import type { Scenario, Scene } from '../../support/faults/scenario.js';
import { present } from '../../support/faults/play.js';
import { withdrawn } from '../../support/faults/worker-log.js';
import { until } from '../../support/processes.js';

/** As GitLab's payload has it. */
const ARTIFACT = { artifacts: [{ name: 'kept', paths: ['made'], when: 'always' }] };
const MAKES_ARTIFACT = { before: ['head -c 100000 /dev/urandom >made'], more: ARTIFACT };

/** Waits until the build is over, whatever the coordinator knows of it. */
async function buildIsOver(scene: Scene): Promise<void> {
  await until('the end of the build', async () => (await scene.status()).state === 'finishing', 90_000);
}

/** Ten lines are printed in a second of it. */
const GOES_ON_MS = 10_000;

/**
 * While it goes on, the job's script prints on: the store's trace is the proof.
 * @param ms at least
 */
async function awayFor(scene: Scene, ms: number, how: 'cut' | 'stall' | 'forget'): Promise<void> {
  const { link } = scene.gitlab();
  const known = scene.remote().trace.length;
  if (how === 'cut') await link.cut();
  else if (how === 'stall') link.stall();
  else link.forget();
  const before = (await scene.trace()).length;
  const goesOn = until(
    'a build that goes on while the coordinator is away',
    async () => (await scene.trace()).length > before,
    GOES_ON_MS,
  );
  await Promise.all([delay(ms), goesOn]);
  if (how !== 'forget' && scene.remote().trace.length > known + 100_000)
    throw new Error('The coordinator was not away');
  await link.restore();
  scene.repaired();
}

export const refused: Scenario = {
  name: 'coordinator refuses connections for 6 s while the script runs',
  job: { lines: 'lasting' },
  gitlab: { updateInterval: 1 },
  async run(scene) {
    await scene.line(10);
    await awayFor(scene, 6_000, 'cut');
  },
};

export const hanging: Scenario = {
  name: 'coordinator hangs for 10 s while the script runs: connections open, no answer',
  job: { lines: 'lasting' },
  gitlab: { updateInterval: 1 },
  async run(scene) {
    await scene.line(10);
    await awayFor(scene, 10_000, 'stall');
  },
};

export const halfClosed: Scenario = {
  name: 'connections to the coordinator die without a word, new ones are carried',
  job: { lines: 'lasting' },
  gitlab: { updateInterval: 1 },
  async run(scene) {
    await scene.line(10);
    await awayFor(scene, 1_000, 'forget');
  },
};

export const awayAtTheEnd: Scenario = {
  name: 'coordinator away from the middle of the script until 5 s after its end: trace, artifacts, then the final status',
  job: { lines: 40, ...MAKES_ARTIFACT },
  gitlab: { updateInterval: 1 },
  async run(scene) {
    await scene.line(10);
    await scene.gitlab().link.cut();
    await buildIsOver(scene);
    await delay(5_000);
    if (isOver(scene.remote().status)) throw new Error('The coordinator was not away');
    await scene.gitlab().link.restore();
    scene.repaired();
  },
};

export const awayAndWorkerKilled: Scenario = {
  name: 'coordinator away, and the worker killed meanwhile',
  job: { lines: 'lasting' },
  gitlab: { updateInterval: 1 },
  async run(scene) {
    await scene.line(10);
    await scene.gitlab().link.cut();
    await delay(2_000);
    await scene.stack.worker().stop('SIGKILL');
    await scene.stack.startWorker();
    await delay(2_000);
    await scene.gitlab().link.restore();
    scene.repaired();
  },
};

export const workerKilled: Scenario = {
  name: 'worker killed while the script of a GitLab job runs',
  job: { lines: 'lasting' },
  gitlab: { updateInterval: 1 },
  async run(scene) {
    await scene.line(10);
    await scene.stack.worker().stop('SIGKILL');
    await scene.stack.startWorker();
    scene.repaired();
  },
};

export const workerHandedOver: Scenario = {
  name: 'worker told to stop (SIGTERM) while a GitLab job runs, and its successor started',
  job: { lines: 'lasting' },
  gitlab: { updateInterval: 1 },
  async run(scene) {
    await scene.line(10);
    await scene.stack.worker().stop('SIGTERM');
    await scene.stack.startWorker();
    scene.repaired();
  },
};

export const workerDrained: Scenario = {
  name: 'worker drained (SIGQUIT) while a GitLab job runs: it takes no other one and tells GitLab before it ends',
  job: { lines: 'lasting' },
  gitlab: { updateInterval: 1 },
  async run(scene) {
    await scene.line(10);
    const old = scene.stack.worker();
    const before = withdrawn(scene.stack);
    old.kill('SIGQUIT');
    await until('the end of its polls', () => withdrawn(scene.stack) > before);
    scene.letEnd();
    const { coordinator } = scene.gitlab();
    const exit = await old.exited;
    if (exit !== 0) throw new Error(`The drained worker ended with ${String(exit)}`);
    if (scene.remote().status !== 'success') throw new Error(`It left GitLab with ${scene.remote().status}`);
    const late = coordinator.addJob({ script: ['true'] });
    await delay(2_000);
    if (late.handedOver > 0) throw new Error('A drained worker has taken a job');
    await scene.stack.startWorker();
    await coordinator.untilOver(late.id);
  },
};

/** GitLab counts a job as handed over when it has answered, so whoever has asked for it must see to it, also while it stops. */
export const drainedWithAnOpenRequest: Scenario = {
  name: 'worker drained (SIGQUIT) while GitLab holds its request: it still runs the job of that answer',
  job: { lines: 'lasting' },
  gitlab: { updateInterval: 1 },
  prepare: ({ gitlab }) => present(gitlab, 'a coordinator').coordinator.setLongPoll(40_000),
  async run(scene) {
    await scene.line(10);
    const { coordinator } = scene.gitlab();
    await until('a request that is held', () => coordinator.heldPolls > 0);
    const old = scene.stack.worker();
    const before = withdrawn(scene.stack);
    old.kill('SIGQUIT');
    await until('the end of its polls', () => withdrawn(scene.stack) > before);
    if (coordinator.heldPolls === 0) throw new Error('It has cut the request that GitLab holds');
    const late = coordinator.addJob({ script: ['true'] });
    scene.letEnd();
    const exit = await old.exited;
    coordinator.setLongPoll(0);
    if (exit !== 0) throw new Error(`The drained worker ended with ${String(exit)}`);
    if (late.status !== 'success') throw new Error(`The last job that it was given is ${late.status}`);
    await scene.stack.startWorker();
  },
};

export const coordinatorScenarios: Scenario[] = [refused, hanging, halfClosed, awayAtTheEnd, awayAndWorkerKilled];

export const coordinatorWorkerScenarios: Scenario[] = [
  workerKilled,
  workerHandedOver,
  workerDrained,
  drainedWithAnOpenRequest,
];

/** In which an answer is not waited for: the worker is dead by then. */
const HELD_MS = 20_000;

/** The worker dies after the coordinator has taken something and before it can know: the next one says the same once more. */
function killedOnTheWire(
  what: string,
  endpoint: 'upload' | 'update',
  arrived: (job: CoordinatorJob) => boolean,
): Scenario {
  return {
    name: `worker killed while the coordinator's answer to ${what} is on the wire`,
    job: { lines: 10, ...MAKES_ARTIFACT },
    gitlab: { updateInterval: 1 },
    async run(scene) {
      await scene.line(1);
      const { id } = scene.remote();
      const action = { kind: 'holdAnswer', ms: HELD_MS } as const;
      const when = ({ final }: { final: boolean }) => endpoint === 'upload' || final;
      scene.gitlab().coordinator.faults.add({ endpoint, action, when, job: id });
      await until(`${what} at the coordinator`, () => arrived(scene.remote()), 60_000);
      await scene.stack.worker().stop('SIGKILL');
      await scene.stack.startWorker();
      scene.repaired();
      await scene.handle.result();
      const { artifacts, reports } = scene.remote();
      if (artifacts.length !== 1) throw new Error(`The coordinator has ${String(artifacts.length)} artifacts, not 1`);
      if (reports.length !== 1) throw new Error(`The coordinator has taken ${String(reports.length)} final reports`);
    },
  };
}

export const wireScenarios: Scenario[] = [
  killedOnTheWire('artifacts', 'upload', ({ artifacts }) => artifacts.length > 0),
  killedOnTheWire('the final status', 'update', ({ final }) => final !== undefined),
  finalStatusRefused(20_000),
];

/**
 * The build is over, its machine goes, and only the end is still to be told, by whoever is there.
 * @param ms how long the coordinator refuses it
 */
export function finalStatusRefused(ms: number): Scenario {
  return {
    name: `coordinator answers 500 to the final status for ${String(ms / 1000)} s, and the worker is killed meanwhile: told once, the machine does not wait`,
    job: { lines: 10, ...MAKES_ARTIFACT },
    gitlab: { updateInterval: 1 },
    async run(scene) {
      const { stack, handle } = scene;
      const { coordinator } = scene.gitlab();
      const { id } = scene.remote();
      const action = { kind: 'status', status: 500 } as const;
      coordinator.faults.add({ endpoint: 'update', action, times: Infinity, when: ({ final }) => final, job: id });
      const refusedUntil = Date.now() + ms;
      await scene.line(1);
      await until('the end of the machine', () => stack.leftovers(handle.workflowId).length === 0, ms);
      await stack.worker().stop('SIGKILL');
      await stack.startWorker();
      await delay(refusedUntil - Date.now());
      if (isOver(scene.remote().status))
        throw new Error(`The coordinator has not refused it: ${scene.remote().status}`);
      coordinator.faults.clear();
      await coordinator.untilOver(id, 90_000);
      // In which a second one would come.
      await delay(2_000);
      const { reports, lateReports } = scene.remote();
      const told = reports.length + lateReports;
      if (told !== 1) throw new Error(`The coordinator was told the end ${String(told)} times`);
    },
  };
}

/** Faults of single answers: no job notices another one's. */
function answerFault(
  name: string,
  fault: { action: FaultAction; times: number; final?: boolean; endpoint?: 'trace' | 'upload' | 'update' },
): Scenario {
  return {
    name,
    job: { lines: 60, ...MAKES_ARTIFACT },
    gitlab: { updateInterval: 1 },
    async run(scene) {
      await scene.line(5);
      const { endpoint = 'trace', action, times, final } = fault;
      scene.gitlab().coordinator.faults.add({
        endpoint,
        action,
        times,
        job: scene.remote().id,
        ...(final === true ? { when: (request) => request.final } : {}),
      });
      await scene.handle.result();
      const { artifacts } = scene.remote();
      if (artifacts.length !== 1) throw new Error(`The coordinator has ${String(artifacts.length)} artifacts, not 1`);
    },
  };
}

/** The rest of a script that is silent for as long as it takes. */
export const UNTIL_HEARD = ['until [ -e /shared/{id}.heard ]; do sleep 0.1; done'];

/** Waits for a sign of life of a job that is silent, and ends the silence. */
export async function signOfLifeHeard(scene: Scene): Promise<void> {
  // One is the acknowledgement.
  await until('a sign of life of the silent job', () => scene.remote().keepAlives >= 2, 90_000);
  writeFileSync(join(scene.stack.shared, `${scene.job.id}.heard`), '');
}

const quiet: Scenario = {
  name: 'keep-alive of a silent job fails, and resumes',
  job: { lines: 5, then: UNTIL_HEARD },
  gitlab: {},
  async run(scene) {
    const { coordinator } = scene.gitlab();
    coordinator.faults.add({
      endpoint: 'update',
      action: { kind: 'status', status: 502 },
      times: 3,
      job: scene.remote().id,
    });
    await scene.line(5);
    await signOfLifeHeard(scene);
  },
};

const canceledWhileAway: Scenario = {
  name: 'job canceled at the coordinator while it cannot be reached',
  job: { lines: 2000 },
  gitlab: { updateInterval: 1 },
  expect: { state: 'canceled', failureReason: 'job_canceled', linesMayBeLost: true },
  async run(scene) {
    await scene.line(10);
    const { coordinator } = scene.gitlab();
    const { id } = scene.remote();
    coordinator.faults.add({ endpoint: 'trace', action: { kind: 'reset' }, times: 4, job: id });
    coordinator.cancel(id);
  },
};

export const answerScenarios: Scenario[] = [
  answerFault('coordinator answers 500, 5 times, to the log', { action: { kind: 'status', status: 500 }, times: 5 }),
  answerFault('coordinator answers 503 with Retry-After to the log', {
    action: { kind: 'status', status: 503, headers: { 'Retry-After': '3' } },
    times: 2,
  }),
  answerFault('answers to chunks of the log are lost', { action: { kind: 'loseAnswer' }, times: 5 }),
  answerFault('answers to chunks of the log break off in their middle', { action: { kind: 'halfAnswer' }, times: 5 }),
  answerFault('answers to artifacts are lost', { endpoint: 'upload', action: { kind: 'loseAnswer' }, times: 2 }),
  answerFault('coordinator answers 502 to artifacts', {
    endpoint: 'upload',
    action: { kind: 'status', status: 502 },
    times: 3,
  }),
  answerFault('answers to the final status are lost', {
    endpoint: 'update',
    action: { kind: 'loseAnswer' },
    times: 2,
    final: true,
  }),
  answerFault('coordinator hangs at the final status', {
    endpoint: 'update',
    action: { kind: 'hang', ms: 6_000 },
    times: 1,
    final: true,
  }),
  answerFault('coordinator answers 500 to the final status', {
    endpoint: 'update',
    action: { kind: 'status', status: 500 },
    times: 4,
    final: true,
  }),
  quiet,
  canceledWhileAway,
];

/** On a ground with a `giveUpAfter` of 10 s. */
export const goneScenarios: Scenario[] = [
  {
    name: 'coordinator away for longer than it keeps a job open: done, undelivered, everything in the store',
    job: { lines: 60, ...MAKES_ARTIFACT },
    gitlab: { updateInterval: 1 },
    expect: { coordinator: 'running, undelivered' },
    async run(scene) {
      await scene.line(10);
      await scene.gitlab().link.cut();
      scene.repaired();
      await scene.handle.result();
      const { artifacts, state } = await scene.status();
      if (state !== 'success') throw new Error(`The job is ${state}`);
      if (artifacts.length !== 1) throw new Error(`${String(artifacts.length)} artifacts were kept, not 1`);
      for (const { key, bytes } of artifacts) {
        if ((await scene.stack.client.store.size(key)) !== bytes) throw new Error(`The store does not have ${key}`);
      }
      await scene.gitlab().link.restore();
    },
  },
  {
    name: 'coordinator gave the job up by itself while it was away: the build is ended, nothing is sent after its end',
    job: { lines: 3000 },
    gitlab: { updateInterval: 1 },
    expect: { state: 'canceled', failureReason: 'job_canceled', linesMayBeLost: true, coordinator: 'failed' },
    async run(scene) {
      await scene.line(10);
      await scene.gitlab().link.cut();
      await delay(2_000);
      scene.gitlab().coordinator.reap(0);
      await scene.gitlab().link.restore();
      scene.repaired();
    },
  },
];
