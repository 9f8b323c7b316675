import { setTimeout as delay } from 'node:timers/promises';
import { linesOf } from '../../support/faults/numbered-job.js';
import type { Scenario, Scene } from '../../support/faults/scenario.js';
import { until, type Process } from '../../support/processes.js';
import { docker } from '../../support/docker.js';
import { machineOf } from './engine.js';
import { startedBeside } from './upgrade.js';

const FROZEN_MS = 9_000;

async function buildOf(scene: Scene): Promise<string> {
  return `holdfast-${await machineOf(scene)}-build`;
}

/** The one that does not come back is gone after the scenario; the other is the ground's own again. */
function bothKilled(): Scenario {
  let beside: Process | undefined;
  return {
    name: 'two workers of an engine killed at the same moment with 3 jobs running; one comes back',
    jobs: 3,
    job: { lines: 'lasting' },
    async prepare({ stack }) {
      beside = await startedBeside(stack);
    },
    async run(scene) {
      await scene.line(10);
      await Promise.all([scene.stack.worker().stop('SIGKILL'), beside?.stop('SIGKILL')]);
      await scene.stack.startWorker();
      scene.repaired();
    },
  };
}

/** What a person does to a build container from outside, and takes back. */
export const frozenScenarios = (): Scenario[] => [
  bothKilled(),
  {
    name: 'build container paused from outside for 9 s, and the worker killed meanwhile',
    job: { lines: 'lasting' },
    async run(scene) {
      await scene.line(10);
      const build = await buildOf(scene);
      docker('pause', build);
      await delay(FROZEN_MS / 3);
      await scene.stack.worker().stop('SIGKILL');
      await scene.stack.startWorker();
      await delay(FROZEN_MS / 3);
      docker('unpause', build);
      scene.repaired();
    },
  },
  {
    name: 'build container stopped from outside (SIGSTOP) for 9 s, in which its script ends',
    job: { lines: 'lasting' },
    async run(scene) {
      await scene.line(10);
      const build = await buildOf(scene);
      // Its first process alone: the script goes on.
      docker('kill', '-s', 'STOP', build);
      scene.letEnd();
      const printed = () => linesOf(scene.job, scene.stack.shared);
      await until('the end of the script', () => printed() > 0);
      await scene.line(printed());
      await delay(FROZEN_MS);
      const { state } = await scene.status();
      if (state !== 'running') throw new Error(`The job is ${state} before its container has ended`);
      docker('kill', '-s', 'CONT', build);
      scene.repaired();
    },
  },
  {
    name: 'job canceled while its build container is paused from outside',
    job: { lines: 900 },
    expect: { state: 'canceled', failureReason: 'job_canceled', linesMayBeLost: true, afterRuns: 1 },
    async run(scene) {
      await scene.line(10);
      docker('pause', await buildOf(scene));
      await scene.handle.cancel();
      scene.repaired();
    },
  },
];
