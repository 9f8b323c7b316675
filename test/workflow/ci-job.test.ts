import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Activities, StepInput } from '../../src/contracts/activities.js';
import { RELEASE_SIGNAL } from '../../src/contracts/names.js';
import { JobFileSchema } from '../../src/job/job-file.js';
import { jobFileToSpec } from '../../src/job/to-spec.js';
import { until } from '../support/processes.js';
import { exited, provisioned, startFakeWorld, stoppable, type FakeJob, type FakeWorld } from './fake-world.js';

let world: FakeWorld;

beforeAll(async () => {
  world = await startFakeWorld();
});

afterAll(() => world.close());

async function stateOf(job: FakeJob): Promise<string> {
  return (await job.status()).state;
}

async function attributesOf(job: FakeJob): Promise<Record<string, unknown>> {
  const { searchAttributes } = await job.handle.describe();
  return Object.fromEntries(Object.entries(searchAttributes).map(([name, value]) => [name, value?.[0]]));
}

describe('a job that succeeds', () => {
  it('goes through provision, step, trace, metrics, finish and release', async () => {
    const job = await world.start({
      name: 'build',
      after_script: ['true'],
      artifacts: { paths: ['x'] },
      cache: { key: 'k', paths: ['y'] },
    });

    expect(await job.result()).toMatchObject({ state: 'success', exitCode: 0, failureReason: null });
    await job.handle.result();
    expect(job.names().sort()).toEqual(
      [
        'provisionMachine',
        'restoreCache',
        'runStep',
        'streamTrace',
        'runStep',
        'streamTrace',
        'collectMetrics',
        'saveCache',
        'uploadArtifacts',
        'finishJob',
        'releaseMachine',
      ].sort(),
    );
  });

  it('keeps status, search attributes and details current', async () => {
    const steps = stoppable();
    const job = await world.start({ name: 'build', pool: 'default' }, steps);
    await until('a running job', async () => (await stateOf(job)) === 'running');
    await until('running in visibility', async () => (await attributesOf(job))['HoldfastJobState'] === 'running');

    expect(await attributesOf(job)).toMatchObject({ HoldfastPool: 'default', HoldfastMetrics: 'pending' });
    expect(await job.status()).toMatchObject({
      name: 'build',
      machine: expect.stringMatching(/^m-/),
      engine: 'fake',
      steps: [{ name: 'step_script', state: 'running', finishedAt: null }],
      finishedAt: null,
    });
    await job.handle.cancel();
    await expect(job.handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect(await attributesOf(job)).toMatchObject({
      HoldfastJobState: 'canceled',
      HoldfastFailureReason: 'job_canceled',
      HoldfastMetrics: 'uploaded',
    });
  });

  it('has a short history', async () => {
    const job = await world.start({});
    await job.handle.result();
    const { events } = await job.handle.fetchHistory();

    expect(events?.length).toBeLessThanOrEqual(80);
  });
});

describe('a script that fails', () => {
  it('fails the job with its exit code, after after_script, which hears of it', async () => {
    const seen: Record<string, string>[] = [];
    const job = await world.start(
      { after_script: ['true'] },
      {
        runStep: ({ step, environment }: StepInput) => {
          if (step === 'after_script') seen.push(environment);
          return Promise.resolve(exited(step === 'after_script' ? 0 : 7));
        },
      },
    );

    expect(await job.result()).toMatchObject({
      state: 'failed',
      failureReason: 'script_failure',
      exitCode: 7,
      allowedToFail: false,
    });
    expect(seen).toEqual([{ CI_JOB_STATUS: 'failed' }]);
    // A failed build is no failed workflow.
    await expect(job.handle.result()).resolves.toMatchObject({ state: 'failed' });
  });

  it.each([
    [true, 7, true],
    [{ exit_codes: [7, 8] }, 7, true],
    [{ exit_codes: 9 }, 7, false],
    [false, 7, false],
  ])('is allowed to fail by allow_failure %j with exit code %d: %s', async (allow_failure, code, allowed) => {
    const job = await world.start({ allow_failure }, { runStep: () => Promise.resolve(exited(code)) });

    expect((await job.result()).allowedToFail).toBe(allowed);
  });

  it('in after_script changes nothing but warns', async () => {
    const job = await world.start(
      { after_script: ['false'] },
      { runStep: ({ step }) => Promise.resolve(exited(step === 'after_script' ? 3 : 0)) },
    );

    expect((await job.result()).state).toBe('success');
    expect(job.trace()).toContain('after_script failed, but job will continue unaffected: exit code 3');
  });

  it('runs again on another machine with retry, and releases both', async () => {
    let runs = 0;
    const job = await world.start(
      { retry: { max: 2, when: 'script_failure' } },
      { runStep: () => Promise.resolve(exited(++runs < 3 ? 1 : 0)) },
    );

    expect((await job.result()).state).toBe('success');
    await job.handle.result();
    expect(runs).toBe(3);
    expect(job.names().filter((name) => name === 'releaseMachine')).toHaveLength(3);
    expect(job.trace()).toContain('Running the job again on another machine (attempt 3)');
    expect((await job.status()).attempts).toBe(3);
  });

  it('does not run again when retry is for something else', async () => {
    const job = await world.start(
      { retry: { max: 2, when: 'runner_system_failure' } },
      { runStep: () => Promise.resolve(exited(1)) },
    );

    expect((await job.result()).state).toBe('failed');
    expect(job.names().filter((name) => name === 'provisionMachine')).toHaveLength(1);
  });
});

describe('a bad job', () => {
  it('is refused with all its problems before anything is provisioned', async () => {
    const job = await world.start({ scrpt: ['x'], script: [], artifacts: { whn: 'always' } });

    await expect(job.handle.result()).rejects.toMatchObject({
      cause: {
        type: 'INVALID_JOB',
        message: expect.stringMatching(/scrpt.*"script".*artifacts\.whn.*"when"|artifacts\.whn.*scrpt/s),
      },
    });
    expect(job.calls).toEqual([]);
  });

  it.each([
    [{ version: 2 }],
    [{ job: undefined }],
    [{ job: 'text' }],
    [{ job: undefined, spec: { name: 'x' } }],
    [{ job: undefined, spec: null }],
  ])('is refused and not retried for ever: %j', async (input) => {
    const job = await world.start({}, {}, { input });

    await expect(job.handle.result()).rejects.toMatchObject({ cause: { type: 'INVALID_JOB' } });
  });

  it.each([
    [{ extra: 1 }, 'extra: unknown key'],
    [{ holdOnFailureM: 1 }, 'holdOnFailureM: unknown key; did you mean "holdOnFailureMs"?'],
    [{ holdOnFailureMs: 'x' }, 'holdOnFailureMs: must be a number of milliseconds'],
    [{ version: 2, extra: 1, job: { scrpt: 1 } }, 'version: must be 1; extra: unknown key; '],
    [{ version: 2, job: { scrpt: 1 } }, 'scrpt: unknown key; did you mean "script"?'],
  ])('is refused for what stands beside it: %j', async (input, text) => {
    const job = await world.start({}, {}, { input });

    await expect(job.handle.result()).rejects.toMatchObject({ cause: { message: expect.stringContaining(text) } });
    expect(job.calls).toEqual([]);
  });

  it('is not what our client starts: a spec without a coordinator, and a time to hold it', async () => {
    const spec = jobFileToSpec(JobFileSchema.parse({ script: ['true'] }));
    const job = await world.start({}, {}, { input: { spec, holdOnFailureMs: 0 } });

    expect(await job.result()).toMatchObject({ state: 'success' });
  });

  it('is found among the failed ones', async () => {
    const job = await world.start({ scrpt: 1 });
    await expect(job.handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);

    expect(await attributesOf(job)).toMatchObject({
      HoldfastJobState: 'failed',
      HoldfastFailureReason: 'runner_unsupported',
      HoldfastMetrics: 'none',
    });
  });

  it('under an id that is in use is refused', async () => {
    await world.start({}, {}, { id: 'twice' });

    await expect(world.start({}, {}, { id: 'twice' })).rejects.toBeInstanceOf(WorkflowExecutionAlreadyStartedError);
  });
});

describe('metrics', () => {
  it('that are retried do not delay the result, and are told when they come', async () => {
    let up = false;
    const job = await world.start(
      {},
      {
        collectMetrics: () =>
          up
            ? Promise.resolve({ state: 'uploaded', outcome: 'uploaded', reason: '', flags: ['busy'] })
            : Promise.reject(new Error('Prometheus does not answer')),
      },
    );

    expect(await job.result()).toMatchObject({ state: 'success', metrics: 'pending' });
    const pending = (await job.handle.describe()).raw.pendingActivities ?? [];
    expect(pending.map((activity) => [activity.activityType?.name, activity.lastFailure?.message])).toEqual([
      ['collectMetrics', 'Prometheus does not answer'],
    ]);
    up = true;
    expect(await job.handle.result()).toMatchObject({ state: 'success', metrics: 'uploaded' });
    expect(await attributesOf(job)).toMatchObject({ HoldfastMetrics: 'uploaded', HoldfastFlags: 'busy' });
  });

  it('that never come are failed, and the job is what it was', async () => {
    const job = await world.start(
      {},
      {
        provisionMachine: (input) =>
          Promise.resolve(provisioned(input, { metrics: { enabled: true, graceMs: 0, giveUpAfterMs: 1_500 } })),
        collectMetrics: () => Promise.reject(new Error('Prometheus does not answer')),
      },
    );

    expect(await job.handle.result()).toMatchObject({ state: 'success', metrics: 'failed' });
    expect((await job.status()).metricsReason).toMatch(/Prometheus does not answer|timed out|timeout/i);
  });

  it('are none when they are not configured', async () => {
    const job = await world.start(
      {},
      {
        provisionMachine: (input) =>
          Promise.resolve(provisioned(input, { metrics: { enabled: false, graceMs: 0, giveUpAfterMs: 1_000 } })),
      },
    );

    expect(await job.handle.result()).toMatchObject({ metrics: 'none' });
    expect(job.names()).not.toContain('collectMetrics');
  });

  it('of jobs that failed, were canceled or timed out are collected too', async () => {
    const failed = await world.start({}, { runStep: () => Promise.resolve(exited(1)) });
    const late = await world.start({ timeout: '1s' }, stoppable());
    for (const job of [failed, late]) {
      await job.handle.result();
      expect(job.names()).toContain('collectMetrics');
    }
  });
});

describe('hold on failure', () => {
  const failing: Pick<Activities, 'runStep'> = { runStep: () => Promise.resolve(exited(1)) };

  it('keeps the machine of a failed job until it is released', async () => {
    const job = await world.start({}, failing, { input: { holdOnFailureMs: 600_000 } });
    await job.result();
    await delay(300);
    expect(job.names()).not.toContain('releaseMachine');
    await job.handle.signal(RELEASE_SIGNAL);
    await job.handle.result();

    expect(job.names()).toContain('releaseMachine');
  });

  it('ends with its time', async () => {
    const job = await world.start({}, failing, { input: { holdOnFailureMs: 500 } });
    await job.handle.result();

    expect(job.names()).toContain('releaseMachine');
  });

  it('is what the plan of its machine says, where the starter says nothing', async () => {
    const provisionMachine: Activities['provisionMachine'] = (input) =>
      Promise.resolve(provisioned(input, { holdOnFailureMs: 600_000 }));
    const job = await world.start({}, { ...failing, provisionMachine });
    const unheld = await world.start({}, { ...failing, provisionMachine }, { input: { holdOnFailureMs: 0 } });
    await unheld.handle.result();
    await until('the hold', async () => (await job.status()).heldUntil !== null);
    await job.handle.signal(RELEASE_SIGNAL);

    await job.handle.result();
  });

  it('is what the variable itself says, where an older worker has made the machine', async () => {
    const job = await world.start({ variables: { HOLDFAST_HOLD_ON_FAILURE: '10m' } }, failing);
    await until('the hold', async () => (await job.status()).heldUntil !== null);
    await job.handle.signal(RELEASE_SIGNAL);

    await job.handle.result();
  });

  it('is not for jobs that succeed', async () => {
    const job = await world.start({}, {}, { input: { holdOnFailureMs: 600_000 } });
    await job.handle.result();

    expect(job.names()).toContain('releaseMachine');
  });
});
