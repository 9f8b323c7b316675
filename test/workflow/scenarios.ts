import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/processes.js';
import { exited, stoppable, type FakeJob, type FakeWorld } from './fake-world.js';

/** One closed job a scenario; `scripts/record-histories.ts` keeps their histories for the replay tests. */
export const SCENARIOS: Record<string, (world: FakeWorld) => Promise<FakeJob>> = {
  async success(world) {
    return await world.start({
      name: 'build',
      after_script: ['true'],
      artifacts: { paths: ['out'] },
      cache: { key: 'k', paths: ['c'] },
      source: { repo: 'https://git.example.com/group/project.git' },
    });
  },
  async 'script failure'(world) {
    return await world.start(
      { after_script: ['true'], retry: 1 },
      { runStep: ({ step }) => Promise.resolve(exited(step === 'after_script' ? 0 : 3)) },
    );
  },
  async cancel(world) {
    const job = await world.start({ after_script: ['true'] }, stoppable());
    await until('a running step', () => job.names().includes('runStep'));
    await job.handle.cancel();
    return job;
  },
  async timeout(world) {
    return await world.start({ timeout: '1s', after_script: ['true'] }, stoppable());
  },
  async 'metrics retry'(world) {
    let calls = 0;
    return await world.start(
      {},
      {
        collectMetrics: async () => {
          calls += 1;
          await delay(10);
          if (calls < 3) throw new Error('Prometheus does not answer');
          return { state: 'uploaded', outcome: 'uploaded', reason: '', flags: ['busy'] };
        },
      },
    );
  },
  async 'lost machine'(world) {
    let runs = 0;
    return await world.start(
      { interruptible: true },
      {
        runStep: () =>
          Promise.resolve(runs++ === 0 ? { kind: 'lost', reason: 'its container is gone', attempts: 1 } : exited(0)),
      },
    );
  },
};
