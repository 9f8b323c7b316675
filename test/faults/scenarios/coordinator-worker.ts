import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../support/faults/play.js';
import type { Scenario } from '../../support/faults/scenario.js';
import { withdrawn } from '../../support/faults/worker-log.js';
import { until } from '../../support/processes.js';

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

export const coordinatorWorkerScenarios: Scenario[] = [
  workerKilled,
  workerHandedOver,
  workerDrained,
  drainedWithAnOpenRequest,
];
