import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MetricsResult, ReportOutcome } from '../../src/contracts/activities.js';
import { RELEASE_SIGNAL } from '../../src/contracts/names.js';
import { JobFileSchema } from '../../src/job/job-file.js';
import { jobFileToSpec } from '../../src/job/to-spec.js';
import { until } from '../support/processes.js';
import { exited, startFakeWorld, type Behaviour, type FakeJob, type FakeWorld } from './fake-world.js';
import { GITLAB, METRICS_ARTIFACT } from './gitlab-job.js';

let world: FakeWorld;

beforeAll(async () => {
  world = await startFakeWorld({ changes: { 'const END_UNHEARD_MS = 120_000;': 'const END_UNHEARD_MS = 2_000;' } });
});

afterAll(() => world.close());

/** A job whose coordinator says this when it has its final status. */
async function start(told: ReportOutcome, behaviour: Behaviour = {}, input: object = {}): Promise<FakeJob> {
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
    { input: { spec, coordinator: GITLAB, ...input } },
  );
}

async function currentDetailsOf({ handle }: FakeJob): Promise<string> {
  const { currentDetails } = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  return currentDetails ?? '';
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

  it('says so still, and why it failed, when its metrics have come and while its machine is held', async () => {
    let scraped: () => void = () => undefined;
    const scrape = new Promise<void>((resolve) => (scraped = resolve));
    const collected: MetricsResult = { state: 'stored', outcome: 'stored', reason: '6 series', flags: [] };
    const job = await start(
      { kind: 'undelivered', reason: 'no answer' },
      { runStep: () => Promise.resolve(exited(3)), collectMetrics: () => scrape.then(() => collected) },
      { holdOnFailureMs: 600_000 },
    );
    const ended = /^The job failed: exit code 3\. Done, undelivered: .* in the store\./;

    await job.result();
    expect((await job.status()).summary).toMatch(new RegExp(`${ended.source} Metrics are still being collected\\.$`));
    scraped();
    await until('the metrics', async () => (await job.status()).metrics === 'stored');
    expect((await job.status()).summary).toMatch(new RegExp(`${ended.source} Metrics: stored \\(6 series\\)\\.$`));
    const { heldUntil, id } = await job.status();
    // What Temporal's own UI shows.
    const details = await currentDetailsOf(job);
    expect(details).toMatch(ended);
    expect(details).toContain(
      `Metrics: stored (6 series). Its machine is held until ${String(heldUntil)}: holdfast shell ${id}`,
    );
    await job.handle.signal(RELEASE_SIGNAL);
    await job.handle.result();
    expect(await currentDetailsOf(job)).not.toMatch(/is held/);
  });

  it('says nothing of that when the coordinator has what it was told', async () => {
    const job = await start({ kind: 'delivered', coordinatorState: 'success' });

    expect(await job.result()).toMatchObject({ state: 'success' });
    expect((await job.status()).summary).not.toMatch(/coordinator/);
  });
});

describe('a job whose artifacts are not taken', () => {
  const now = Date.now();
  const kept: Behaviour = {
    uploadArtifacts: () =>
      Promise.resolve({
        ok: true,
        text: '',
        startedAtMs: now,
        finishedAtMs: now,
        attempts: 1,
        artifacts: [METRICS_ARTIFACT],
      }),
  };

  it('has the exit code of the command that would have sent them', async () => {
    const job = await start(
      { kind: 'delivered', coordinatorState: 'failed' },
      { ...kept, deliverArtifacts: () => Promise.resolve({ ok: false, text: '' }) },
    );

    expect(await job.result()).toMatchObject({ state: 'failed', failureReason: 'script_failure', exitCode: 1 });
  });

  it.each([null, 'canceled'])('for it is over at the coordinator (%s), keeps its own end', async (as) => {
    let finished = false;
    let toldEarly = false;
    const job = await start(
      { kind: 'aborted', coordinatorState: 'canceled' },
      {
        ...kept,
        deliverArtifacts: () => Promise.resolve({ ok: false, text: '', ended: { as } }),
        finishJob: ({ trace, text }) => {
          finished = true;
          return Promise.resolve({ traceBytes: trace.offset + text.length });
        },
        // The next sign of life is refused, too.
        reportToCoordinator: async () => {
          await delay(500);
          toldEarly = finished;
          return { kind: 'aborted', coordinatorState: 'canceled' };
        },
      },
    );

    expect(await job.result()).toMatchObject({ state: 'success', failureReason: null });
    expect(toldEarly).toBe(false);
    expect((await job.status()).summary).toMatch(/ended the job as "canceled" by itself/);
  });

  it.each([
    ['with its own end, when it was told that the job is canceled there', 'canceled', 'success'],
    ['as before, when a refusal is all that it was told', null, 'failed'],
  ])('does not wait for ever to hear that it is over: it ends %s', async (_, as, state) => {
    const job = await start(
      { kind: 'delivered', coordinatorState: 'canceled' },
      { ...kept, deliverArtifacts: () => Promise.resolve({ ok: false, text: '', ended: { as } }) },
    );

    expect(await job.result()).toMatchObject({ state });
  });
});
