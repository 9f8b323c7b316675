import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultAction } from '../../support/coordinator/faults.js';
import type { Scenario, Scene } from '../../support/faults/scenario.js';
import { until } from '../../support/processes.js';
import { MAKES_ARTIFACT } from './coordinator.js';

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
