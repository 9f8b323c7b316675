import { setTimeout as delay } from 'node:timers/promises';
import type { MetricsResult } from '../../src/contracts/activities.js';
import { JobFileSchema } from '../../src/job/job-file.js';
import { jobFileToSpec } from '../../src/job/to-spec.js';
import { until } from '../support/processes.js';
import { GITLAB, METRICS_ARTIFACT } from './gitlab-job.js';
import { exited, provisioned, stoppable, type FakeJob, type FakeWorld } from './fake-world.js';

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
  async 'metrics of a job of gitlab'(world) {
    let told: () => void = () => undefined;
    const end = new Promise<void>((resolve) => (told = resolve));
    const found: MetricsResult = { state: 'stored', outcome: 'stored', reason: '', flags: [] };
    return await world.start(
      {},
      {
        provisionMachine: (input) => Promise.resolve(provisioned(input, { readyAtMs: Date.now() - 10_000 })),
        collectMetrics: ({ early }) =>
          Promise.resolve(early === true ? { ...found, artifact: METRICS_ARTIFACT } : found),
        finishJob: ({ trace, text }) => {
          told();
          return Promise.resolve({ traceBytes: trace.offset + text.length });
        },
        reportToCoordinator: async () => {
          await end;
          return { kind: 'delivered', coordinatorState: 'success' };
        },
      },
      {
        input: { job: undefined, spec: jobFileToSpec(JobFileSchema.parse({ script: ['true'] })), coordinator: GITLAB },
      },
    );
  },
};
