import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobHandle } from '../../../src/client.js';
import { jobKeys } from '../../../src/store/keys.js';
import { buildOtherVersion, versionOf } from '../../support/other-version.js';
import { until, type Process } from '../../support/processes.js';
import { TEST_IMAGE } from '../../support/docker.js';
import { startStack, type Stack } from '../../support/stack.js';

let stack: Stack;
let upgrade: string;
let old: Process;
/** Begun before the upgrade, ended after the last worker of its version has gone. */
let inPlace: JobHandle;

beforeAll(async () => {
  stack = await startStack({ prometheus: false, metrics: { enabled: false } });
  old = stack.worker();
  upgrade = buildOtherVersion(stack.directory, '9.0.0');
});

afterAll(() => stack.close());

/** Runs until the test lets it end, and counts its runs in a file that outlives it. */
async function startLongJob(name: string): Promise<JobHandle> {
  const job = await stack.client.startJob(
    {
      image: TEST_IMAGE,
      script: [
        `echo run >>/shared/${name}.runs`,
        'echo begun',
        `while [ ! -e /shared/${name}.go ]; do sleep 0.2; done`,
        'echo over',
      ],
      after_script: ['echo after'],
    },
    { id: name },
  );
  await until(`${name} to run`, async () => (await traceOf(job)).includes('begun\n'));
  return job;
}

async function traceOf(job: JobHandle): Promise<string> {
  return (await stack.client.store.read(jobKeys.trace(job.workflowId)))?.toString('utf8') ?? '';
}

async function letEnd(name: string): Promise<void> {
  await writeFile(join(stack.shared, `${name}.go`), '');
}

function runsOf(name: string): number {
  return readFileSync(join(stack.shared, `${name}.runs`), 'utf8').split('\n').length - 1;
}

describe('an upgrade of the worker', () => {
  it('leaves open jobs to workers of their version, and gives new ones to the new version', async () => {
    const before = await startLongJob('before');
    inPlace = await startLongJob('in-place');
    await stack.startWorker({ beside: true, program: upgrade });
    const after = await startLongJob('after');

    await letEnd('before');
    await letEnd('after');
    const results = await Promise.all([before.result(), after.result()]);

    expect(results.map(({ state }) => state)).toEqual(['success', 'success']);
    expect([runsOf('before'), runsOf('after')]).toEqual([1, 1]);
    expect(await versionOf(stack, before.workflowId)).toMatch(/^holdfast:0\./);
    expect(await versionOf(stack, after.workflowId)).toMatch(/^holdfast:9\.0\.0-/);
    expect(await traceOf(before)).toMatch(/\nbegun\n[\s\S]*\nover\n[\s\S]*\nafter\n/);
  });

  it('moves jobs of a version without workers to the new one, and nothing runs twice', async () => {
    const job = inPlace;
    const closed = await stack.client.job('before');
    await old.stop('SIGTERM');
    await letEnd('in-place');

    expect(await job.result()).toMatchObject({ state: 'success', exitCode: 0 });
    expect(runsOf('in-place')).toBe(1);
    expect(await versionOf(stack, job.workflowId)).toMatch(/^holdfast:9\.0\.0-/);
    expect(await traceOf(job)).toMatch(/\nbegun\n[\s\S]*\nover\n[\s\S]*\nafter\n/);
    // Its version has no worker any more that could answer for it.
    expect(await closed.status()).toMatchObject({
      state: 'success',
      steps: expect.arrayContaining([expect.objectContaining({ name: 'step_script', state: 'success', exitCode: 0 })]),
    });
  });

  it('can be without versions: jobs that are pinned go on with workers that have none', async () => {
    const job = await startLongJob('off');
    await stack.worker().stop('SIGTERM');
    await stack.startWorker({ beside: true, top: { worker: { versioning: { enabled: false } } } });
    const other = await startLongJob('unversioned');
    await letEnd('off');
    await letEnd('unversioned');

    const results = await Promise.all([job.result(), other.result()]);

    expect(results.map(({ state }) => state)).toEqual(['success', 'success']);
    expect([runsOf('off'), runsOf('unversioned')]).toEqual([1, 1]);
  });

  it('back to an earlier release: it takes over when the later one is gone', async () => {
    await stack.worker().stop('SIGTERM');
    await stack.startWorker({ beside: true });
    const job = await startLongJob('back');
    await letEnd('back');

    expect(await job.result()).toMatchObject({ state: 'success' });
    expect(await versionOf(stack, job.workflowId)).toMatch(/^holdfast:0\./);
  });

  it('moves a job that waits also where a later one has nothing to ask for, however long no worker was there', async () => {
    const waiting = await startLongJob('waiting');
    const busy = await startLongJob('busy');
    await stack.worker().stop('SIGKILL');
    await letEnd('waiting');
    // After 20 s Temporal answers questions to a version without workers in another way.
    await delay(22_000);
    await stack.startWorker({ beside: true, program: upgrade });

    expect(await waiting.result()).toMatchObject({ state: 'success', exitCode: 0 });
    await letEnd('busy');
    expect(await busy.result()).toMatchObject({ state: 'success', exitCode: 0 });
    expect([runsOf('waiting'), runsOf('busy')]).toEqual([1, 1]);
  });
});
