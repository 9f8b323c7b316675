import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, it } from 'vitest';
import { JobFileSchema } from '../../src/job/job-file.js';
import { jobFileToSpec } from '../../src/job/to-spec.js';
import { exited, provisioned, startFakeWorld, type Behaviour, type FakeWorld } from './fake-world.js';
import { GITLAB, METRICS_ARTIFACT } from './gitlab-job.js';

let world: FakeWorld;

/** Workflows of an earlier version, which know nothing of what the activities of this one tell. */
beforeAll(async () => {
  world = await startFakeWorld({
    changes: { 'result.ended !== undefined': 'false', 'planned !== undefined': 'false' },
  });
});

afterAll(() => world.close());

const NOW = Date.now();

it.each<[string, object, Behaviour]>([
  [
    'a machine that is to be held',
    { variables: { HELD: '1h', HOLDFAST_HOLD_ON_FAILURE: '$HELD' } },
    {
      provisionMachine: (input) => Promise.resolve({ ...provisioned(input), holdOnFailureMs: 3_600_000 }),
      runStep: () => Promise.resolve(exited(1)),
      reportToCoordinator: () => Promise.resolve({ kind: 'delivered', coordinatorState: 'failed' }),
    },
  ],
  [
    'artifacts of a job that is over at its coordinator',
    { artifacts: { paths: ['x'], when: 'on_success' } },
    {
      uploadArtifacts: () =>
        Promise.resolve({
          ok: true,
          text: '',
          startedAtMs: NOW,
          finishedAtMs: NOW,
          attempts: 1,
          artifacts: [METRICS_ARTIFACT],
        }),
      deliverArtifacts: () => Promise.resolve({ ok: false, text: '', ended: { as: 'canceled' } }),
      // The upload hears of it first.
      reportToCoordinator: () =>
        new Promise((resolve) => setTimeout(() => resolve({ kind: 'aborted', coordinatorState: 'canceled' }), 2_000)),
    },
  ],
])('%s, told to a workflow of an earlier version, does not lead its later one astray', async (_, job, behaviour) => {
  const spec = jobFileToSpec(JobFileSchema.parse({ script: ['true'], ...job }));
  const began = await world.start({}, behaviour, { input: { spec, coordinator: GITLAB } });
  await began.handle.result();

  const history = await began.handle.fetchHistory();
  await Worker.runReplayHistory({ workflowBundle: { codePath: 'dist/workflow-bundle.js' } }, history, 'job/replayed');
});
