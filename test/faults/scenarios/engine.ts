import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { present } from '../../support/faults/play.js';
import type { Proxy } from '../../support/faults/proxy.js';
import type { Scenario, Scene } from '../../support/faults/scenario.js';
import { until } from '../../support/processes.js';
import { docker, TEST_IMAGE } from '../../support/docker.js';

const run = promisify(execFile);
const REMOVED_MS = 30_000;

const LOST = { state: 'failed', failureReason: 'runner_system_failure', linesMayBeLost: true, afterRuns: 0 } as const;
const RUNS_AGAIN = { runs: 2, linesMayBeLost: false } as const;

export async function machineOf(scene: Scene): Promise<string> {
  const { machine } = await scene.status();
  if (machine === null) throw new Error('The job has no machine yet');
  return machine;
}

async function traceSays(scene: Scene, text: string): Promise<void> {
  await scene.handle.result();
  if (!(await scene.trace()).includes(text)) throw new Error(`The trace does not say "${text}"`);
}

export const containerRemoved: Scenario = {
  name: 'build container removed under the script: lost, never the fault of the script',
  expect: LOST,
  async run(scene) {
    await scene.line(10);
    docker('rm', '-f', `holdfast-${await machineOf(scene)}-build`);
    await traceSays(scene, 'the machine was lost');
  },
};

export const containerKilled: Scenario = {
  name: 'build container killed from outside, as by an engine that restarts',
  // It is still there, and starts again for after_script.
  expect: { ...LOST, afterRuns: 1 },
  async run(scene) {
    await scene.line(10);
    docker('kill', `holdfast-${await machineOf(scene)}-build`);
    await traceSays(scene, 'ended from outside');
  },
};

/** All of it, as when its host goes. The engine waits with that for whoever reads the machine's files, who may need this process. */
async function removeMachine(scene: Scene): Promise<void> {
  const build = `holdfast-${await machineOf(scene)}-build`;
  const label = '{{index .Config.Labels "holdfast.sandbox"}}';
  const { stdout } = await run('docker', ['inspect', '-f', label, build], { timeout: REMOVED_MS });
  await run('docker', ['rm', '-f', build, stdout.trim()], { timeout: REMOVED_MS });
}

async function keepsNothing(scene: Scene): Promise<void> {
  await traceSays(scene, 'the machine was lost');
  const { artifacts } = await scene.status();
  const caches = await scene.stack.client.store.list('cache');
  if (artifacts.length > 0) throw new Error('The artifacts of a lost machine are told as kept');
  if (caches.some((key) => key.includes(scene.job.id))) throw new Error('A cache was written from a lost machine');
}

export const sandboxRemoved: Scenario = {
  name: 'the whole machine removed after the script, under its after_script',
  job: { lines: 10, afterSeconds: 60, before: ['echo data >made'], more: { artifacts: { paths: ['made'] } } },
  expect: { ...LOST, linesMayBeLost: false, afterRuns: 1 },
  async run(scene) {
    const begun = join(scene.stack.shared, `${scene.job.id}.after`);
    await until('after_script', () => existsSync(begun), 60_000);
    await removeMachine(scene);
    await keepsNothing(scene);
  },
};

export const lostAndInterruptible: Scenario = {
  name: 'machine of an interruptible job lost: it runs again on another one, and the trace says so',
  job: { more: { interruptible: true } },
  expect: RUNS_AGAIN,
  async run(scene) {
    await scene.line(10);
    docker('rm', '-f', `holdfast-${await machineOf(scene)}-build`);
    await traceSays(scene, 'Running the job again on another machine (attempt 2)');
  },
};

export const lostAndRetried: Scenario = {
  name: 'machine of a job with retry: runner_system_failure lost: it runs again',
  job: { more: { retry: { max: 1, when: 'runner_system_failure' } } },
  expect: RUNS_AGAIN,
  async run(scene) {
    await scene.line(10);
    docker('rm', '-f', `holdfast-${await machineOf(scene)}-build`);
    await traceSays(scene, 'Running the job again on another machine (attempt 2)');
  },
};

/** Not in the ordinary set: it takes as long as such a job has patience. For a ground with another engine, which serves no jobs yet. */
export const engineGoneForGood: Scenario = {
  name: 'engine out of reach for good under an interruptible job: it runs again on another engine, and the trace says why',
  job: { more: { interruptible: true } },
  expect: RUNS_AGAIN,
  standstill: { seconds: 360, why: 'an engine may be away for 5 minutes' },
  async run(scene) {
    const { stack } = scene;
    await scene.line(10);
    await linkOf(scene).cut();
    const another = {
      name: `${stack.engine}-other`,
      defaultImage: TEST_IMAGE,
      helperImage: TEST_IMAGE,
      volumes: [`${stack.shared}:/shared`],
    };
    await stack.startWorker({ beside: true, top: { engines: [another] } });
    scene.repaired();
    await traceSays(scene, 'its engine could not be reached for 3');
    await traceSays(scene, 'Running the job again on another machine (attempt 2)');
    // Its first machine is released when it can be.
    await linkOf(scene).restore();
  },
};

export const imageMissing: Scenario = {
  name: 'image missing and not to be pulled',
  job: { more: { image: { name: 'holdfast/no-such-image:1', pull_policy: 'never' } } },
  expect: { state: 'failed', failureReason: 'runner_configuration_error', runs: 0, linesMayBeLost: true },
  run: (scene) => traceSays(scene, 'no-such-image'),
};

export const registryAway: Scenario = {
  name: 'registry refuses connections',
  job: { more: { image: { name: '127.0.0.1:1/no/registry:1', pull_policy: 'always' } } },
  expect: { state: 'failed', runs: 0, linesMayBeLost: true, failureReason: 'runner_external_dependency_failure' },
  run: (scene) => traceSays(scene, '127.0.0.1:1/no/registry'),
};

export const outOfMemory: Scenario = {
  name: 'build runs out of memory: told apart from a kill',
  job: { more: { script: ['echo run >>/shared/{id}.runs', 'head -c 200000000 /dev/zero | tail'] } },
  expect: { state: 'failed', failureReason: 'script_failure', linesMayBeLost: true, afterRuns: 1 },
  async run(scene) {
    await traceSays(scene, 'out of memory');
    const { steps } = await scene.status();
    if (!steps.some(({ oomKilled }) => oomKilled === true)) throw new Error('No step is told as killed for its memory');
  },
};

function linkOf(scene: Scene): Proxy {
  return present(scene.ground.engineLink, 'an engine behind a proxy');
}

/** As when its host goes: an engine removes nothing of which somebody still reads. */
function removedWhile(doing: string, step: string, keeps: (paths: string[]) => Record<string, unknown>): Scenario {
  return {
    name: `the whole machine lost while ${doing}`,
    job: { lines: 5, before: ['head -c 60000000 /dev/urandom >made'], more: keeps(['made']) },
    expect: { ...LOST, linesMayBeLost: false, afterRuns: 1 },
    async run(scene) {
      await scene.step(step);
      await linkOf(scene).cut();
      await removeMachine(scene);
      await linkOf(scene).restore();
      scene.repaired();
      await keepsNothing(scene);
    },
  };
}

/** For a ground whose engine is behind a proxy. */
export const engineConnectionScenarios: Scenario[] = [
  {
    name: 'engine connection cut for 10 s while the script runs',
    job: { lines: 'lasting' },
    async run(scene) {
      await scene.line(10);
      await linkOf(scene).cut();
      await delay(10_000);
      await linkOf(scene).restore();
      scene.repaired();
    },
  },
  {
    name: 'engine connection silent for 10 s while the script runs',
    job: { lines: 'lasting' },
    async run(scene) {
      await scene.line(10);
      linkOf(scene).stall();
      await delay(10_000);
      await linkOf(scene).restore();
      scene.repaired();
    },
  },
  {
    name: 'engine connections die without a word, new ones are carried',
    job: { lines: 'lasting' },
    async run(scene) {
      await scene.line(10);
      linkOf(scene).forget();
      scene.repaired();
    },
  },
  {
    name: 'engine connection cut, and the worker killed meanwhile',
    job: { lines: 'lasting' },
    async run(scene) {
      await scene.line(10);
      await linkOf(scene).cut();
      await delay(2_000);
      await scene.stack.worker().stop('SIGKILL');
      const started = scene.stack.startWorker();
      await delay(4_000);
      await linkOf(scene).restore();
      await started;
      scene.repaired();
    },
  },
  {
    name: 'engine connection cut as the script ends',
    job: { lines: 30 },
    async run(scene) {
      await scene.line(28);
      await linkOf(scene).cut();
      await delay(6_000);
      await linkOf(scene).restore();
      scene.repaired();
    },
  },
  {
    name: 'containers cannot be removed as the job ends: the final status does not wait for that',
    job: { lines: 30 },
    gitlab: { updateInterval: 1 },
    async run(scene) {
      await scene.line(28);
      linkOf(scene).hold('DELETE ');
      await scene.gitlab().coordinator.untilOver(scene.remote().id, 30_000);
      const there = scene.stack.leftovers(scene.handle.workflowId);
      if (there.length === 0) throw new Error('The machine was removed although it could not be');
      await linkOf(scene).restore();
      scene.repaired();
    },
  },
  {
    name: 'engine connection cut again and again',
    job: { lines: 'lasting' },
    async run(scene) {
      for (let cut = 0; cut < 12; cut++) {
        await delay(700);
        await linkOf(scene).cut();
        await delay(300);
        await linkOf(scene).restore();
      }
      scene.repaired();
    },
  },
  removedWhile('artifacts are packed', 'upload_artifacts', (paths) => ({ artifacts: { paths } })),
  removedWhile('the cache is saved', 'archive_cache', (paths) => ({ cache: { key: '{id}', paths } })),
];

export const engineScenarios: Scenario[] = [
  containerRemoved,
  containerKilled,
  sandboxRemoved,
  lostAndInterruptible,
  lostAndRetried,
  imageMissing,
  registryAway,
  outOfMemory,
];
