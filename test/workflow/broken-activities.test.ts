import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Activities, FailureDetails, FilesResult, MachineRef } from '../../src/contracts/activities.js';
import { exited, startFakeWorld, type FakeWorld } from './fake-world.js';

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

  it('that is out of reach is waited for no longer than its patience where the job may run again, with nothing of its trace, and no more is asked of it', async () => {
    const asked: [number, string, number | undefined][] = [];
    const job = await world.start(
      { interruptible: true, after_script: ['true'] },
      {
        runStep: ({ attempt, step, patienceMs }) => {
          asked.push([attempt, step, patienceMs]);
          if (attempt === 3) return Promise.resolve(exited(0));
          const details = { reason: 'runner_system_failure', message: 'its engine could not be reached for 301 s' };
          throw ApplicationFailure.create({ type: 'ENGINE_UNREACHABLE', nonRetryable: true, details: [details] });
        },
        streamTrace: async ({ attempt, from }) => {
          if (attempt < 3) await Context.current().cancelled;
          return { part: from.part + 1, offset: 10, overLimit: false };
        },
      },
    );

    expect((await job.result()).state).toBe('success');
    expect(job.trace()).toContain(
      'the machine was lost: its engine could not be reached for 301 s. Running the job again',
    );
    // The last machine that it may have is waited for as long as it has time.
    expect(asked).toEqual([
      [1, 'step_script', 300_000],
      [2, 'step_script', 300_000],
      [3, 'step_script', undefined],
      [3, 'after_script', undefined],
    ]);
    const { events } = await job.handle.fetchHistory();
    const steps = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
      scheduled?.activityType?.name === 'runStep' ? [Number(scheduled.scheduleToStartTimeout?.seconds ?? 0)] : [],
    );
    expect(steps.slice(0, 2)).toEqual([900, 900]);
    expect(steps[2]).toBeGreaterThan(900);
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

  it('with after_script to come is told once, by the end of the job', async () => {
    const lost = { kind: 'lost', reason: 'its container is gone', attempts: 1 } as const;
    const job = await world.start({ after_script: ['true'] }, { runStep: () => Promise.resolve(lost) });

    expect(await job.result()).toMatchObject({ state: 'failed', failureReason: 'runner_system_failure' });
    expect(job.trace().match(/the machine was lost/g)).toHaveLength(1);
    expect(job.trace()).not.toContain('will continue unaffected');
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
