import { setTimeout as delay } from 'node:timers/promises';
import { isOver } from '../../support/coordinator/job.js';
import type { Scenario, Scene } from '../../support/faults/scenario.js';
import { until } from '../../support/processes.js';

/** As GitLab's payload has it. */
const ARTIFACT = { artifacts: [{ name: 'kept', paths: ['made'], when: 'always' }] };
/** A job that has an artifact for the coordinator. */
export const MAKES_ARTIFACT = { before: ['head -c 100000 /dev/urandom >made'], more: ARTIFACT };

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

export const coordinatorScenarios: Scenario[] = [refused, hanging, halfClosed, awayAtTheEnd, awayAndWorkerKilled];

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
