import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReportOutcome } from '../../src/contracts/activities.js';
import { JobFileSchema } from '../../src/job/job-file.js';
import { jobFileToSpec } from '../../src/job/to-spec.js';
import { startFakeWorld, type Behaviour, type FakeJob, type FakeWorld } from './fake-world.js';
import { GITLAB, METRICS_ARTIFACT } from './gitlab-job.js';

let world: FakeWorld;

beforeAll(async () => {
  world = await startFakeWorld();
});

afterAll(() => world.close());

/** A job whose coordinator says this when it has its final status. */
async function start(told: ReportOutcome, behaviour: Behaviour = {}): Promise<FakeJob> {
  let finished: () => void = () => undefined;
  const end = new Promise<void>((resolve) => (finished = resolve));
  const spec = jobFileToSpec(JobFileSchema.parse({ script: ['true'], artifacts: { paths: ['x'] } }));
  return await world.start(
    {},
    {
      finishJob: ({ trace, text }) => {
        finished();
        return Promise.resolve({ traceBytes: trace.offset + text.length });
      },
      reportToCoordinator: () => end.then(() => told),
      ...behaviour,
    },
    { input: { spec, coordinator: GITLAB } },
  );
}

describe('a job that its coordinator has ended by itself', () => {
  it.each<[string, ReportOutcome, RegExp]>([
    [
      'as failed',
      { kind: 'aborted', coordinatorState: 'failed' },
      /The coordinator has ended the job as "failed" by itself/,
    ],
    ['and forgotten', { kind: 'aborted', coordinatorState: null }, /ended the job and does not know it any more/],
    ['as another', { kind: 'delivered', coordinatorState: 'canceled' }, /ended the job as "canceled" by itself/],
  ])('%s says so, though its own end stands', async (_, told, words) => {
    const job = await start(told);

    expect(await job.result()).toMatchObject({ state: 'success' });
    expect((await job.status()).summary).toMatch(words);
  });

  it('says nothing of that when the coordinator has what it was told', async () => {
    const job = await start({ kind: 'delivered', coordinatorState: 'success' });

    expect(await job.result()).toMatchObject({ state: 'success' });
    expect((await job.status()).summary).not.toMatch(/coordinator/);
  });
});

it('a job whose artifacts are not taken has the exit code of the command that would have sent them', async () => {
  const job = await start(
    { kind: 'delivered', coordinatorState: 'failed' },
    {
      uploadArtifacts: () => {
        const now = Date.now();
        return Promise.resolve({
          ok: true,
          text: '',
          startedAtMs: now,
          finishedAtMs: now,
          attempts: 1,
          artifacts: [METRICS_ARTIFACT],
        });
      },
      deliverArtifacts: () => Promise.resolve({ ok: false, text: '' }),
    },
  );

  expect(await job.result()).toMatchObject({ state: 'failed', failureReason: 'script_failure', exitCode: 1 });
});
