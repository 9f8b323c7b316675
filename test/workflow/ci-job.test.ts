import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Activities, FailureDetails, FilesResult, MachineRef, StepInput } from '../../src/contracts/activities.js';
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

function failure(details: FailureDetails): ApplicationFailure {
  return ApplicationFailure.create({ message: 'failed', nonRetryable: true, details: [details] });
}

/** As the engine's activities say that a machine was taken away. */
function gone(): ApplicationFailure {
  const details: FailureDetails = { reason: 'runner_system_failure', message: 'its container is gone' };
  return ApplicationFailure.create({ type: 'MACHINE_GONE', message: 'gone', nonRetryable: true, details: [details] });
}

function moved(): FilesResult {
  const now = Date.now();
  return { ok: true, text: '', startedAtMs: now, finishedAtMs: now, attempts: 1 };
}

async function cancelled(): Promise<never> {
  await Context.current().cancelled;
  throw new CancelledFailure('unreachable');
}

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

const BEFORE_THE_SCRIPT = {
  source: { repo: 'https://git.example.com/group/project.git' },
  cache: { key: 'k', paths: ['c'], when: 'always' },
  after_script: ['true'],
  artifacts: { paths: ['x'], when: 'always' },
};

function scriptsOf(job: FakeJob): string[] {
  return job.calls.filter(({ activity }) => activity === 'runStep').map(({ input }) => (input as StepInput).step);
}

describe('a time limit', () => {
  it('that is over while the cache comes ends the job before its script', async () => {
    const job = await world.start({ ...BEFORE_THE_SCRIPT, timeout: '1s' }, { restoreCache: cancelled });

    expect(await job.result()).toMatchObject({ state: 'failed', failureReason: 'job_execution_timeout' });
    expect(scriptsOf(job)).toEqual(['get_sources']);
    expect(job.names()).not.toContain('uploadArtifacts');
  });

  it('stops the script, still runs after_script, and fails the job', async () => {
    const job = await world.start({ timeout: '1s', after_script: ['true'] }, stoppable());

    expect(await job.result()).toMatchObject({
      state: 'failed',
      failureReason: 'job_execution_timeout',
      exitCode: null,
    });
    expect(
      job.calls.filter((call) => call.activity === 'runStep').map((call) => (call.input as StepInput).environment),
    ).toEqual([{}, { CI_JOB_STATUS: 'timedout' }]);
  });

  it('of the script alone stops the script alone', async () => {
    const job = await world.start(
      { after_script: ['true'] },
      { ...stoppable(), provisionMachine: (input) => Promise.resolve(provisioned(input, { scriptTimeoutMs: 300 })) },
    );

    expect(await job.result()).toMatchObject({ state: 'failed', failureReason: 'job_execution_timeout' });
    expect(job.names().filter((name) => name === 'runStep')).toHaveLength(2);
  });

  it('of after_script stops it, and the job stays what it was', async () => {
    const { runStep, stopStep } = stoppable();
    const job = await world.start(
      { after_script: ['sleep'] },
      {
        runStep: (input) =>
          input.step === 'after_script' ? runStep({ ...input, step: 'x' }) : Promise.resolve(exited(0)),
        provisionMachine: (input) => Promise.resolve(provisioned(input, { afterScriptTimeoutMs: 300 })),
        stopStep: (input) => stopStep({ ...input, step: 'x' }),
      },
    );

    expect((await job.result()).state).toBe('success');
  });

  it('does not count the time in the queue', async () => {
    const job = await world.start(
      { timeout: '1s' },
      {
        provisionMachine: async (input) => {
          await delay(1_500);
          return provisioned(input);
        },
      },
    );

    expect((await job.result()).state).toBe('success');
  });
});

describe('cancel', () => {
  it('while it waits for a machine ends the job without one', async () => {
    const job = await world.start({}, { provisionMachine: cancelled });
    await until('provisioning', () => job.calls.length > 0);
    await job.handle.cancel();

    expect(await job.result()).toMatchObject({ state: 'canceled', failureReason: 'job_canceled', metrics: 'none' });
    await expect(job.handle.result()).rejects.toMatchObject({ cause: expect.any(CancelledFailure) });
    expect(job.names()).not.toContain('runStep');
  });

  it('is told as a cancel when the worker or the engine is lost while it reaches the provisioning', async () => {
    const losses = [
      new Error('connect ECONNREFUSED'),
      ApplicationFailure.create({
        message: 'The engine cannot be reached',
        type: 'ENGINE_UNREACHABLE',
        details: [{ reason: 'runner_system_failure', message: 'connect ECONNREFUSED' } satisfies FailureDetails],
      }),
    ];
    for (const loss of losses) {
      const job = await world.start(
        {},
        {
          async provisionMachine() {
            await cancelled().catch(() => undefined);
            throw loss;
          },
        },
      );
      await until('provisioning', () => job.calls.length > 0);
      await job.handle.cancel();

      expect(await job.result()).toMatchObject({ state: 'canceled', failureReason: 'job_canceled', metrics: 'none' });
      expect(job.names().filter((name) => name === 'provisionMachine')).toHaveLength(1);
    }
  });

  it('that comes when the machine is just ready still releases it', async () => {
    let ready = () => {};
    const job = await world.start(
      {},
      {
        provisionMachine: async (input) => {
          await new Promise<void>((resolve) => (ready = resolve));
          return provisioned(input);
        },
      },
    );
    await until('provisioning', () => job.calls.length > 0);
    await job.handle.cancel();
    ready();

    expect((await job.result()).state).toBe('canceled');
    await job.handle.result().catch(() => undefined);
    expect(job.names()).toContain('releaseMachine');
  });

  it('during the script stops it, runs after_script, keeps files and collects metrics', async () => {
    const job = await world.start({ after_script: ['true'], artifacts: { paths: ['x'], when: 'always' } }, stoppable());
    await until('a running step', () => job.names().includes('runStep'));
    await job.handle.cancel();

    expect((await job.result()).state).toBe('canceled');
    await job.handle.result().catch(() => undefined);
    expect(job.names()).toEqual(
      expect.arrayContaining(['stopStep', 'uploadArtifacts', 'collectMetrics', 'releaseMachine']),
    );
    expect((await job.status()).steps.map(({ name, state }) => [name, state])).toEqual([
      ['step_script', 'canceled'],
      ['after_script', 'success'],
      ['upload_artifacts', 'success'],
    ]);
  });

  it.each(['runStep', 'restoreCache'] as const)('before the script (%s) ends all there is', async (activity) => {
    const steps = stoppable();
    const job = await world.start(BEFORE_THE_SCRIPT, {
      restoreCache: cancelled,
      runStep: (input) => (activity === 'runStep' ? steps.runStep(input) : Promise.resolve(exited(0))),
      stopStep: steps.stopStep,
    });
    await until('what it is canceled in', () => job.names().includes(activity));
    await job.handle.cancel();

    expect(await job.result()).toMatchObject({ state: 'canceled', failureReason: 'job_canceled' });
    await job.handle.result().catch(() => undefined);
    expect(scriptsOf(job)).toEqual(['get_sources']);
    expect(job.names()).not.toEqual(expect.arrayContaining(['saveCache']));
    expect(job.names()).not.toEqual(expect.arrayContaining(['uploadArtifacts']));
    expect(job.names()).toContain('releaseMachine');
    expect(job.trace()).not.toContain('script canceled');
  });

  it('does not wait for a worker that is lost with the files it moved', async () => {
    let return_: () => void = () => undefined;
    const lost = new Promise<void>((resolve) => (return_ = resolve));
    const job = await world.start(BEFORE_THE_SCRIPT, { restoreCache: () => lost.then(moved) });
    await until('the cache', () => job.names().includes('restoreCache'));
    await job.handle.cancel();

    expect((await job.result()).state).toBe('canceled');
    expect((await job.status()).steps.find(({ name }) => name === 'restore_cache')?.state).toBe('canceled');
    return_();
  });

  it('twice is once', async () => {
    const job = await world.start({ after_script: ['true'] }, stoppable());
    await until('a running step', () => job.names().includes('runStep'));
    await job.handle.cancel();
    await job.handle.cancel();

    expect((await job.result()).state).toBe('canceled');
    expect(job.names().filter((name) => name === 'stopStep')).toHaveLength(1);
  });

  it('after the last step comes too late, and the job stays a success', async () => {
    const job = await world.start(
      {},
      {
        finishJob: async ({ trace }) => {
          await delay(800);
          return { traceBytes: trace.offset };
        },
      },
    );
    await until('the end', () => job.names().includes('finishJob'));
    await job.handle.cancel();

    expect((await job.result()).state).toBe('success');
    await expect(job.handle.result()).resolves.toMatchObject({ state: 'success' });
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

describe('an activity that fails for good', () => {
  const broken = () => Promise.reject(ApplicationFailure.nonRetryable('it is broken'));

  it('while preparing fails the job with the reason that it gives', async () => {
    const job = await world.start(
      {},
      { provisionMachine: () => Promise.reject(failure({ reason: 'image_pull_failure', message: 'no such image' })) },
    );

    expect(await job.result()).toMatchObject({
      state: 'failed',
      failureReason: 'image_pull_failure',
      failureMessage: 'no such image',
    });
  });

  it.each<[keyof Activities, string]>([
    ['runStep', 'runner_system_failure'],
    ['restoreCache', 'runner_system_failure'],
    ['saveCache', 'runner_system_failure'],
    ['uploadArtifacts', 'runner_system_failure'],
  ])('(%s) never leaves a machine behind, and is the runner’s fault', async (activity, reason) => {
    const job = await world.start(
      { after_script: ['true'], artifacts: { paths: ['x'] }, cache: { key: 'k', paths: ['y'] } },
      { [activity]: broken },
    );

    expect(await job.result()).toMatchObject({ state: 'failed', failureReason: reason });
    await job.handle.result();
    expect(job.names()).toContain('releaseMachine');
  });

  it.each<keyof Activities>(['streamTrace', 'collectMetrics'])('(%s) does not change the result', async (activity) => {
    const job = await world.start({}, { [activity]: broken });

    expect((await job.result()).state).toBe('success');
    await job.handle.result();
    expect(job.names()).toContain('releaseMachine');
  });

  it('(runStep) takes the trace that waits for its output with it', async () => {
    const job = await world.start(
      { source: { repo: 'https://git.example.com/group/project.git' } },
      {
        runStep: ({ step }) => (step === 'get_sources' ? Promise.resolve(exited(0)) : broken()),
        streamTrace: async () => {
          await Context.current().cancelled;
          throw new CancelledFailure('unreachable');
        },
      },
    );

    expect(await job.result()).toMatchObject({ state: 'failed', failureReason: 'runner_system_failure' });
  });

  it('(streamTrace) lets the next part begin at the real end', async () => {
    let calls = 0;
    const job = await world.start(
      { after_script: ['true'] },
      {
        streamTrace: ({ from }) =>
          calls++ === 0 ? broken() : Promise.resolve({ part: from.part + 1, offset: 10, overLimit: false }),
      },
    );
    await job.result();
    const parts = job.calls
      .filter((call) => call.activity === 'streamTrace')
      .map((call) => (call.input as { from: object }).from);

    expect(parts).toMatchObject([{ part: 1 }, { part: 2, uncertain: true }]);
  });

  it('once is tried again, and nobody notices', async () => {
    let calls = 0;
    const job = await world.start(
      {},
      { runStep: () => (calls++ === 0 ? Promise.reject(new Error('once')) : Promise.resolve(exited(0))) },
    );

    expect((await job.result()).state).toBe('success');
    expect(calls).toBe(2);
  });
});

describe('a lost machine', () => {
  const lostOnce = (): Pick<Activities, 'runStep'> => {
    let runs = 0;
    return {
      runStep: () =>
        Promise.resolve(runs++ === 0 ? { kind: 'lost', reason: 'its container is gone', attempts: 1 } : exited(0)),
    };
  };

  it('is the runner’s failure, with the sentence that says so', async () => {
    const job = await world.start({ after_script: ['true'], artifacts: { paths: ['x'] } }, lostOnce());

    expect(await job.result()).toMatchObject({
      state: 'failed',
      failureReason: 'runner_system_failure',
      exitCode: null,
      failureMessage: 'the machine was lost: its container is gone',
    });
    expect(job.names()).not.toContain('uploadArtifacts');
  });

  it('in after_script is no success, whatever the script was', async () => {
    const job = await world.start(
      { after_script: ['true'] },
      {
        runStep: ({ step }) =>
          Promise.resolve(
            step === 'after_script' ? { kind: 'lost', reason: 'its container is gone', attempts: 1 } : exited(0),
          ),
      },
    );

    expect(await job.result()).toMatchObject({
      state: 'failed',
      failureReason: 'runner_system_failure',
      failureMessage: 'the machine was lost: its container is gone',
    });
  });

  it.each(['saveCache', 'uploadArtifacts'] as const)('before %s is one whose job runs again', async (activity) => {
    const job = await world.start(
      { interruptible: true, cache: { key: 'k', paths: ['x'] }, artifacts: { paths: ['x'] } },
      {
        [activity]: (input: MachineRef) => {
          if (input.attempt === 1) throw gone();
          return Promise.resolve({ ...moved(), artifacts: [] });
        },
      },
    );

    expect((await job.result()).state).toBe('success');
    expect(job.trace()).toContain(
      'the machine was lost: its container is gone. Running the job again on another machine',
    );
  });

  it('of an interruptible job is replaced', async () => {
    const job = await world.start({ interruptible: true }, lostOnce());

    expect((await job.result()).state).toBe('success');
    expect(job.trace()).toContain(
      'the machine was lost: its container is gone. Running the job again on another machine',
    );
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

  it('is not for jobs that succeed', async () => {
    const job = await world.start({}, {}, { input: { holdOnFailureMs: 600_000 } });
    await job.handle.result();

    expect(job.names()).toContain('releaseMachine');
  });
});
