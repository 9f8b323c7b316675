import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CollectMetricsInput, DeliverInput, MetricsResult, Provisioned } from '../../src/contracts/activities.js';
import { JobFileSchema } from '../../src/job/job-file.js';
import { jobFileToSpec } from '../../src/job/to-spec.js';
import { until } from '../support/processes.js';
import { GITLAB, METRICS_ARTIFACT } from './gitlab-job.js';
import { exited, provisioned, startFakeWorld, type Behaviour, type FakeJob, type FakeWorld } from './fake-world.js';

let world: FakeWorld;

beforeAll(async () => {
  world = await startFakeWorld();
});

afterAll(() => world.close());

const EARLY: MetricsResult = { state: 'stored', outcome: 'stored', reason: '', flags: [], artifact: METRICS_ARTIFACT };
const NOTHING_YET: MetricsResult = { state: 'pending', outcome: 'no_samples', reason: 'nothing yet', flags: [] };
const WHOLE: MetricsResult = { state: 'uploaded', outcome: 'uploaded', reason: 'all of it', flags: ['busy'] };
const UNSENT: MetricsResult = { state: 'stored', outcome: 'stored', reason: 'not sent', flags: [] };

/** A job of GitLab whose machine is older than its first scrapes. GitLab keeps it open until it has the final status. */
async function start(
  behaviour: Behaviour,
  { job = {}, machine = {} }: { job?: object; machine?: Partial<Provisioned> } = {},
): Promise<FakeJob> {
  let finished: () => void = () => undefined;
  const end = new Promise<void>((resolve) => (finished = resolve));
  const spec = jobFileToSpec(JobFileSchema.parse({ script: ['true'], ...job }));
  return await world.start(
    {},
    {
      provisionMachine: (input) => Promise.resolve(provisioned(input, { readyAtMs: Date.now() - 10_000, ...machine })),
      finishJob: ({ trace, text }) => {
        finished();
        return Promise.resolve({ traceBytes: trace.offset + text.length });
      },
      reportToCoordinator: async () => {
        await end;
        return { kind: 'delivered', coordinatorState: 'success' };
      },
      ...behaviour,
    },
    { input: { spec, coordinator: GITLAB } },
  );
}

function isEarly(input: unknown): boolean {
  return (input as CollectMetricsInput).early === true;
}

/** The activities that matter here, in the order of their start. */
function order({ calls }: FakeJob): string[] {
  return calls.flatMap(({ activity, input }) => {
    if (activity === 'collectMetrics') return [isEarly(input) ? 'early' : 'last'];
    if (activity === 'deliverArtifacts') return [`send ${(input as DeliverInput).artifacts[0]?.key ?? ''}`];
    return activity === 'finishJob' ? ['finish'] : [];
  });
}

/** How long the workflow has waited for the metrics at most, each time. A job's own time limit is an hour. */
async function gracesOf({ handle }: FakeJob): Promise<number[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? [])
    .map(({ timerStartedEventAttributes: timer }) => timer?.startToFireTimeout)
    .filter((timeout) => timeout != null)
    .map(({ seconds, nanos }) => Number(seconds ?? 0) * 1000 + (nanos ?? 0) / 1e6)
    .filter((ms) => ms <= 60_000);
}

describe('metrics of a job of GitLab', () => {
  it('are asked for by the label that the engine has given its machine, in both collections', async () => {
    const label = { name: 'vm', value: 'vm-1' };
    const job = await start(
      { collectMetrics: (input) => Promise.resolve(input.early === true ? EARLY : WHOLE) },
      { machine: { metrics: { enabled: true, graceMs: 1_000, giveUpAfterMs: 60_000, label } } },
    );
    await job.handle.result();

    const asked = job.calls.filter(({ activity }) => activity === 'collectMetrics');
    expect(asked.map(({ input }) => (input as CollectMetricsInput).label)).toEqual([label, label]);
  });

  it('are sent before the final status, which does not wait for the last scrape', async () => {
    let scraped: () => void = () => undefined;
    const lastScrape = new Promise<void>((resolve) => (scraped = resolve));
    const job = await start({
      collectMetrics: async (input) => {
        if (input.early === true) return EARLY;
        await lastScrape;
        return WHOLE;
      },
    });

    expect(await job.result()).toMatchObject({ state: 'success', metrics: 'uploaded' });
    expect(await job.status()).toMatchObject({
      metrics: 'uploaded',
      metricsReason: expect.stringMatching(/still to come/),
    });
    scraped();
    await job.handle.result();

    expect(order(job).filter((name) => name !== 'last')).toEqual(['early', 'send kept/metrics', 'finish']);
    expect(order(job).indexOf('last')).toBeGreaterThan(order(job).indexOf('send kept/metrics'));
    expect(await job.status()).toMatchObject({ metrics: 'uploaded', metricsReason: 'all of it' });
    const { searchAttributes } = await job.handle.describe();
    expect(searchAttributes).toMatchObject({ HoldfastMetrics: ['uploaded'], HoldfastFlags: ['busy'] });
  });

  it('that nobody can be asked for hold up the final status for the grace, then are collected once more', async () => {
    let earlyOpen = false;
    let atOnce = false;
    const job = await start(
      {
        collectMetrics: async (input) => {
          if (input.early !== true) {
            atOnce ||= earlyOpen;
            return UNSENT;
          }
          earlyOpen = true;
          try {
            return await Context.current().cancelled;
          } finally {
            earlyOpen = false;
          }
        },
      },
      { machine: { metrics: { enabled: true, graceMs: 300, giveUpAfterMs: 60_000 } } },
    );

    expect(await job.result()).toMatchObject({ state: 'success' });
    expect(await job.handle.result()).toMatchObject({ state: 'success', metrics: 'stored' });
    expect(order(job).filter((name) => name === 'early')).toHaveLength(1);
    expect(order(job)).toContain('last');
    expect(atOnce).toBe(false);
    expect(job.names()).not.toContain('deliverArtifacts');
  });

  it('hold up the final status for what is left of the grace since the end of the script', async () => {
    const graceMs = 60_000;
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const job = await start(
      {
        // Over a moment before the workflow hears of it, as a container is; after_script takes no time then.
        runStep: () => Promise.resolve({ ...exited(0), finishedAtMs: Date.now() - 40 }),
        collectMetrics: async ({ early }) => {
          if (early !== true) return UNSENT;
          await answered;
          return NOTHING_YET;
        },
      },
      { machine: { metrics: { enabled: true, graceMs, giveUpAfterMs: 600_000 } } },
    );
    await until('the timer of the grace', async () => (await gracesOf(job)).length > 0);

    const [waitedMs] = await gracesOf(job);
    expect(waitedMs).toBeLessThanOrEqual(graceMs - 40);
    expect(waitedMs).toBeGreaterThanOrEqual(graceMs - graceMs / 8);
    const early = () => job.calls.find(({ input }) => isEarly(input))?.input as CollectMetricsInput | undefined;
    // It was given out with the timer, and begins when its worker has it.
    await until('the early collection', () => early() !== undefined);
    const asked = early()!;
    expect(asked.untilMs! - asked.window.endMs).toBe(waitedMs);
    answer();
    await job.handle.result();
  });

  it('hold up nothing more when their time is over, and are not asked for again then', async () => {
    const job = await start(
      {
        collectMetrics: ({ early }) => Promise.resolve(early === true ? { ...NOTHING_YET, late: true } : UNSENT),
      },
      { machine: { metrics: { enabled: true, graceMs: 60_000, giveUpAfterMs: 600_000 } } },
    );

    expect(await job.handle.result()).toMatchObject({ state: 'success', metrics: 'stored' });
    expect(order(job).filter((name) => name === 'early')).toHaveLength(1);
  });

  it('no longer hold up what comes so late that the grace is over', async () => {
    const graceMs = 200;
    let scriptEndedAtMs = 0;
    const job = await start(
      {
        runStep: async ({ step }) => {
          if (step !== 'after_script') scriptEndedAtMs = Date.now();
          else await until('the end of the grace', () => Date.now() > scriptEndedAtMs + 2 * graceMs);
          return exited(0);
        },
        collectMetrics: ({ early }) => (early === true ? Context.current().cancelled : Promise.resolve(UNSENT)),
      },
      {
        job: { after_script: ['true'] },
        machine: { metrics: { enabled: true, graceMs, giveUpAfterMs: 60_000 }, afterScriptTimeoutMs: 600_000 },
      },
    );

    expect(await job.handle.result()).toMatchObject({ state: 'success', metrics: 'stored' });
    expect(await gracesOf(job)).toEqual([]);
  });

  it.each([
    [
      'that was not answered in time may have come all the same, and the job says so',
      { late: true as const },
      /may have it/,
    ],
    ['that was refused has not come', {}, /^not sent$/],
  ])('%s', async (_, verdict, reason) => {
    const job = await start({
      collectMetrics: ({ early }) => Promise.resolve(early === true ? EARLY : UNSENT),
      deliverArtifacts: () => Promise.resolve({ ok: false, ...verdict, text: '' }),
    });

    expect(await job.handle.result()).toMatchObject({ state: 'success', metrics: 'stored' });
    expect((await job.status()).metricsReason).toMatch(reason);
  });

  it('are offered again while the job is busy with other things', async () => {
    const graceMs = 60_000;
    let collected = 0;
    let sent = 0;
    const job = await start(
      {
        collectMetrics({ early }) {
          if (early !== true) return Promise.resolve(WHOLE);
          collected += 1;
          return Promise.resolve(collected < 3 ? { ...NOTHING_YET, late: true } : EARLY);
        },
        deliverArtifacts() {
          sent += 1;
          return Promise.resolve(sent < 3 ? { ok: false, late: true, text: '' } : { ok: true, text: '' });
        },
        runStep: async ({ step }) => {
          if (step === 'after_script') await until('the third upload', () => sent === 3);
          return exited(0);
        },
      },
      {
        job: { after_script: ['true'] },
        machine: { metrics: { enabled: true, graceMs, giveUpAfterMs: 600_000 } },
      },
    );

    expect(await job.handle.result()).toMatchObject({ state: 'success', metrics: 'uploaded' });
    expect([collected, sent]).toEqual([3, 3]);
  });

  it('of which there are no samples yet hold up nothing', async () => {
    const job = await start({
      collectMetrics: ({ early }) => Promise.resolve(early === true ? NOTHING_YET : UNSENT),
    });

    expect(await job.handle.result()).toMatchObject({ state: 'success', metrics: 'stored' });
    expect(job.names()).not.toContain('deliverArtifacts');
  });

  it.each([
    ['that GitLab does not take', { ok: false, text: '' }],
    ['whose GitLab is away', { ok: false, text: '', gaveUp: 'no answer' }],
  ])('%s change nothing', async (_what, delivered) => {
    const job = await start({
      collectMetrics: ({ early }) => Promise.resolve(early === true ? EARLY : UNSENT),
      deliverArtifacts: () => Promise.resolve(delivered),
    });

    expect(await job.handle.result()).toMatchObject({ state: 'success', metrics: 'stored' });
    expect(await job.status()).toMatchObject({ metricsReason: 'not sent' });
  });

  it('that were sent stay sent when the last scrape cannot be had, and say so', async () => {
    const job = await start(
      {
        collectMetrics: ({ early }) =>
          early === true ? Promise.resolve(EARLY) : Promise.reject(new Error('Prometheus does not answer')),
      },
      { machine: { metrics: { enabled: true, graceMs: 1_000, giveUpAfterMs: 1_500 } } },
    );

    expect(await job.handle.result()).toMatchObject({ state: 'success', metrics: 'uploaded' });
    expect(await job.status()).toMatchObject({
      metricsReason: expect.stringMatching(/^sent with the job; without the last/),
    });
  });

  it.each<[string, Partial<Provisioned>]>([
    ['was over in an instant', { readyAtMs: Date.now() + 3_600_000 }],
    ['has no grace', { metrics: { enabled: true, graceMs: 0, giveUpAfterMs: 60_000 } }],
  ])('that %s go to the store alone', async (_what, machine) => {
    const job = await start({ collectMetrics: () => Promise.resolve(UNSENT) }, { machine });

    expect(await job.handle.result()).toMatchObject({ metrics: 'stored' });
    expect(order(job).filter((name) => name !== 'finish')).toEqual(['last']);
  });
});

describe('metrics of a job of GitLab whose machine was lost', () => {
  const attemptOf = (call: { input: unknown }) => (call.input as CollectMetricsInput).attempt;

  it('in its script are sent of the next machine alone', async () => {
    const job = await start(
      {
        runStep: ({ attempt }) =>
          Promise.resolve(attempt === 1 ? { kind: 'lost', reason: 'its container is gone', attempts: 1 } : exited(0)),
        collectMetrics: ({ early }) => Promise.resolve(early === true ? EARLY : WHOLE),
      },
      { job: { interruptible: true } },
    );

    expect(await job.handle.result()).toMatchObject({ state: 'success', metrics: 'uploaded' });
    const early = job.calls.filter(({ activity, input }) => activity === 'collectMetrics' && isEarly(input));
    expect(early.map(attemptOf)).toEqual([2]);
  });

  it('after its script are sent once: another machine has other bytes', async () => {
    let sent = false;
    const job = await start(
      {
        deliverArtifacts: () => {
          sent = true;
          return Promise.resolve({ ok: true, text: '' });
        },
        uploadArtifacts: async ({ attempt }) => {
          const now = Date.now();
          if (attempt > 1)
            return { ok: true, text: '', startedAtMs: now, finishedAtMs: now, attempts: 1, artifacts: [] };
          await until('the metrics of the first machine', () => sent);
          throw ApplicationFailure.create({
            message: 'lost',
            nonRetryable: true,
            details: [{ reason: 'runner_system_failure', message: 'the machine is gone' }],
          });
        },
        collectMetrics: ({ early }) => Promise.resolve(early === true ? EARLY : WHOLE),
      },
      { job: { interruptible: true, artifacts: { paths: ['x'] } } },
    );

    expect(await job.handle.result()).toMatchObject({ state: 'success' });
    expect((await job.status()).attempts).toBe(2);
    expect(order(job).filter((name) => name.startsWith('send'))).toHaveLength(1);
  });
});
