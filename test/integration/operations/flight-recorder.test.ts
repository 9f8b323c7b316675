import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobHandle } from '../../../src/client.js';
import type { ActivityLife } from '../../../src/contracts/job-life.js';
import { jobKeys } from '../../../src/store/keys.js';
import { GIVEN_BACK } from '../../../src/worker/lost-attempts.js';
import { logged } from '../../support/faults/worker-log.js';
import { until } from '../../support/processes.js';
import { TEST_IMAGE } from '../../support/docker.js';
import { startStack, type Stack } from '../../support/stack.js';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack({ prometheus: false, metrics: { enabled: false } });
});

afterAll(() => stack.close());

function activity(activities: ActivityLife[], name: string, summary?: string): ActivityLife {
  const found = activities.find((entry) => entry.activity === name && (summary ?? entry.summary) === entry.summary);
  if (found === undefined) throw new Error(`No ${name} among ${activities.map((entry) => entry.activity).join(', ')}`);
  return found;
}

async function untilPrinted(job: JobHandle, text: string): Promise<void> {
  await until(`"${text}" in the trace`, async () => {
    return (await stack.client.store.read(jobKeys.trace(job.workflowId)))?.includes(text) ?? false;
  });
}

/** As a person sees it. */
function show(job: JobHandle): string {
  return execFileSync('bin/holdfast', ['show', job.workflowId, '--config', stack.configFile], { encoding: 'utf8' });
}

/** Before the heartbeats of a killed worker can be missed (8 s, and the last one was up to 2 s before its end). */
const SOON_MS = 5_000;
const MOST_RESTARTS = 5;

async function step(job: JobHandle): Promise<ActivityLife> {
  return activity((await job.flight()).life.activities, 'runStep', 'step_script');
}

/** Kills the worker and starts the next one, until one was there soon. @returns how often, and who was killed last */
async function replacedSoon(job: JobHandle): Promise<{ restarts: number; killed: number }> {
  for (let restarts = 1; ; restarts++) {
    const killed = stack.worker().pid;
    const killedAt = Date.now();
    await stack.worker().stop('SIGKILL');
    await stack.startWorker();
    const tookMs = Date.now() - killedAt;
    const isNext = (worker: string | null | undefined) => worker?.includes(String(stack.worker().pid)) === true;
    await until('the next attempt', async () => isNext((await step(job)).attempts.at(-1)?.worker));
    if (tookMs < SOON_MS) return { restarts, killed };
    if (restarts === MOST_RESTARTS) throw new Error(`A worker needs ${String(tookMs)} ms to start`);
  }
}

const LONG = { image: TEST_IMAGE, script: ['echo begun', 'sleep 8', 'echo over'] };

describe('the flight recorder', () => {
  it('tells the life of a job that went straight: every activity once, each with its times', async () => {
    const job = await stack.client.startJob({ image: TEST_IMAGE, script: ['true'], after_script: ['true'] });
    await job.result();
    await until('a closed workflow', async () =>
      (await job.flight()).life.events.some(({ kind }) => kind === 'closed'),
    );

    const { life, fault } = await job.flight();

    expect(fault).toBeNull();
    expect(life.events.map(({ kind }) => kind)).toEqual(['queued', 'decided', 'closed']);
    const names = life.activities.map((entry) => `${entry.activity} ${entry.summary}`);
    expect(names).toEqual(
      expect.arrayContaining(['runStep step_script', 'streamTrace trace of step_script', 'runStep after_script']),
    );
    for (const entry of life.activities) {
      expect(entry).toMatchObject({ state: 'completed', attempts: [{ first: 1, last: 1, outcome: 'completed' }] });
      expect(Date.parse(entry.startedAt ?? '')).toBeLessThanOrEqual(Date.parse(entry.finishedAt ?? ''));
    }
    expect(show(job)).toMatch(/runStep +step_script +\d+\.\d+s/);
  });

  it('names a worker that was killed, and the one that went on', async () => {
    const job = await stack.client.startJob({
      image: TEST_IMAGE,
      script: ['echo begun', 'until [ -e /shared/replaced ]; do sleep 0.1; done'],
    });
    await untilPrinted(job, 'begun');
    const { restarts, killed } = await replacedSoon(job);
    writeFileSync(join(stack.shared, 'replaced'), '');
    await job.result();

    const { id, state, attempts } = await step(job);
    const [lost, next] = attempts.slice(-2);

    expect(state).toBe('completed');
    expect(next).toMatchObject({ first: restarts + 1, last: restarts + 1, outcome: 'completed' });
    expect(lost).toMatchObject({ outcome: 'failed', failure: { code: 'WORKER_LOST', fault: 'runner' } });
    // By its successor, and not by its missing heartbeats.
    const givenBack = logged(stack, GIVEN_BACK).filter(({ workflowId }) => workflowId === job.workflowId);
    expect(givenBack).toContainEqual(
      expect.objectContaining({ activityId: id, worker: `${String(killed)}@${hostname()}` }),
    );
    expect(next?.worker).toContain(String(stack.worker().pid));
    expect(next?.worker).not.toContain(String(killed));
    expect(show(job)).toContain('WORKER_LOST');
  });

  it('names a hand-over, which is nobody’s fault', async () => {
    const job = await stack.client.startJob(LONG);
    await untilPrinted(job, 'begun');
    const stopped = stack.worker().pid;
    await stack.worker().stop('SIGTERM');
    await stack.startWorker();
    await job.result();

    const { attempts } = await step(job);

    expect(attempts[0]).toMatchObject({ outcome: 'failed', failure: { code: 'HANDED_OVER', fault: 'nobody' } });
    expect(attempts[0]?.worker).toContain(String(stopped));
    expect(Date.parse(attempts[0]?.startedAt ?? '')).toBeLessThan(Date.parse(attempts[0]?.finishedAt ?? ''));
  });

  it('shows a job that runs, and one that waits', async () => {
    const job = await stack.client.startJob(LONG);
    const waiting = await stack.client.startJob({ image: TEST_IMAGE, script: ['true'], pool: 'nowhere' });
    await untilPrinted(job, 'begun');

    const running = await step(job);
    const provision = activity((await waiting.flight()).life.activities, 'provisionMachine');

    expect(running).toMatchObject({ state: 'running', finishedAt: null, attempts: [{ outcome: 'running' }] });
    expect(running.attempts[0]?.worker).toContain(String(stack.worker().pid));
    expect(provision).toMatchObject({ state: 'waiting', queue: 'holdfast.pool.nowhere' });
    await waiting.cancel('enough');
    expect((await waiting.flight()).life.events.at(-1)).toMatchObject({
      kind: expect.stringMatching(/cancelRequested|decided|closed/),
    });
    await job.result();
  });

  it('blames the user for an image that does not exist', async () => {
    const job = await stack.client.startJob({
      image: { name: 'holdfast/there-is-no-such-image:1', pull_policy: 'if-not-present' },
      script: ['true'],
    });
    await job.result();

    const { fault, life } = await job.flight();

    const failure = activity(life.activities, 'provisionMachine').attempts.at(-1)?.failure;
    expect(failure?.message).toContain('there-is-no-such-image');
    expect(fault).toBe(failure?.fault);
  });

  it('tells of a job that was refused, with all that is wrong with it', async () => {
    const workflowId = 'job/refused';
    await stack.client.temporal.workflow.start('ciJob', {
      taskQueue: 'holdfast',
      workflowId,
      args: [{ version: 1, job: { image: TEST_IMAGE, scrip: ['true'] } }],
    });
    const job = await stack.client.job(workflowId);
    await job.result();

    const flight = await job.flight();

    expect(flight).toMatchObject({ state: 'failed', failureReason: 'runner_unsupported', fault: 'user' });
    expect(flight.failureMessage).toContain('scrip');
    expect(flight.life.events.map(({ kind }) => kind)).toEqual(['queued', 'refused']);
    expect(show(job)).toMatch(/refused[\s\S]*scrip/);
  });
});
