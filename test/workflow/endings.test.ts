import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FailureDetails, FilesResult, StepInput } from '../../src/contracts/activities.js';
import { until } from '../support/processes.js';
import { exited, provisioned, startFakeWorld, stoppable, type FakeJob, type FakeWorld } from './fake-world.js';

let world: FakeWorld;

beforeAll(async () => {
  world = await startFakeWorld();
});

afterAll(() => world.close());

function moved(): FilesResult {
  const now = Date.now();
  return { ok: true, text: '', startedAtMs: now, finishedAtMs: now, attempts: 1 };
}

async function cancelled(): Promise<never> {
  await Context.current().cancelled;
  throw new CancelledFailure('unreachable');
}

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
