import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../../support/faults/scenario.js';

export const temporalKilled: Scenario = {
  name: 'Temporal killed and started again on its file',
  job: { lines: 'lasting' },
  async run(scene) {
    await scene.line(10);
    await scene.stack.temporal().stop('SIGKILL');
    await scene.stack.startTemporal();
    scene.repaired();
  },
};

export const temporalAway: Scenario = {
  name: 'Temporal away for 20 s, in which the script ends',
  job: { lines: 100 },
  async run(scene) {
    await scene.line(10);
    await scene.stack.temporal().stop('SIGKILL');
    await delay(20_000);
    await scene.stack.startTemporal();
    scene.repaired();
  },
};

/** In a group of its own, which is begun first: it takes as long as it says. */
export const temporalAwayForMinutes: Scenario = {
  name: 'Temporal away for 5 minutes: the script goes on and ends meanwhile, nothing repeats',
  // Three minutes; the rest is for a busy machine, which takes its time for each line.
  job: { lines: 450, pauseSeconds: 0.4, then: ['echo over >/shared/{id}.over'] },
  async run(scene) {
    await scene.line(10);
    await scene.stack.temporal().stop('SIGKILL');
    await delay(5 * 60_000);
    if (!existsSync(join(scene.stack.shared, `${scene.job.id}.over`)))
      throw new Error('The script did not go on to its end while Temporal was away');
    await scene.stack.startTemporal();
    scene.repaired();
  },
};

export const temporalAndWorkerKilled: Scenario = {
  name: 'Temporal and the worker killed together',
  job: { lines: 'lasting' },
  async run(scene) {
    await scene.line(10);
    await Promise.all([scene.stack.temporal().stop('SIGKILL'), scene.stack.worker().stop('SIGKILL')]);
    await scene.stack.startTemporal();
    await scene.stack.startWorker();
    scene.repaired();
  },
};

export const workerStartedBeforeTemporal: Scenario = {
  name: 'Temporal and the worker killed together, and the worker started first: it waits',
  job: { lines: 'lasting' },
  async run(scene) {
    await scene.line(10);
    await Promise.all([scene.stack.temporal().stop('SIGKILL'), scene.stack.worker().stop('SIGKILL')]);
    const starting = scene.stack.startWorker();
    starting.catch(() => undefined);
    await delay(3_000);
    await scene.stack.startTemporal();
    await starting;
    scene.repaired();
  },
};

export const temporalPaused: Scenario = {
  name: 'Temporal hangs for 15 s (SIGSTOP)',
  job: { lines: 'lasting' },
  async run(scene) {
    await scene.line(10);
    scene.stack.temporal().kill('SIGSTOP');
    await delay(15_000);
    scene.stack.temporal().kill('SIGCONT');
    scene.repaired();
  },
};

export const workerStoppedWhileTemporalHangs: Scenario = {
  name: 'SIGTERM to a worker whose Temporal hangs (SIGSTOP): it is gone in time all the same',
  job: { lines: 'lasting' },
  async run(scene) {
    await scene.line(10);
    const worker = scene.stack.worker();
    scene.stack.temporal().kill('SIGSTOP');
    try {
      await worker.stop('SIGTERM');
    } finally {
      scene.stack.temporal().kill('SIGCONT');
    }
    if ((await worker.exited) !== 0) throw new Error(`It has ended with ${String(await worker.exited)}`);
    await scene.stack.startWorker();
    scene.repaired();
  },
};

export const prometheusAway: Scenario = {
  name: 'Prometheus away from the beginning: the result does not wait for it',
  job: { lines: 20 },
  async run(scene) {
    await scene.stack.stopPrometheus();
    const { state } = await scene.handle.result();
    const { metrics } = await scene.status();
    await scene.stack.startPrometheus();
    if (state !== 'success' || metrics !== 'pending') throw new Error(`The job is ${state}, its metrics ${metrics}`);
  },
};

export const serverScenarios: Scenario[] = [
  temporalKilled,
  temporalAway,
  temporalAndWorkerKilled,
  workerStartedBeforeTemporal,
  temporalPaused,
  workerStoppedWhileTemporalHangs,
  prometheusAway,
];
