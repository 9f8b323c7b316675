import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/processes.js';
import { exited, startFakeWorld, type FakeWorld } from './fake-world.js';

let world: FakeWorld;

beforeAll(async () => {
  world = await startFakeWorld({ changes: { 'const PATIENCE_MS = 10 * 60_000;': 'const PATIENCE_MS = 2_000;' } });
});

afterAll(async () => {
  await world.close();
});

async function never(): Promise<never> {
  await Context.current().cancelled;
  throw new CancelledFailure('given up');
}

const KEEPS_FILES = { cache: { key: 'k', paths: ['y'] }, artifacts: { paths: ['x'], when: 'always' } };

describe('the patience of a canceled job', () => {
  it('with files that are being kept ends: it is canceled, and nothing more is asked of that machine but its release', async () => {
    const job = await world.start(KEEPS_FILES, { saveCache: never });
    await until('the cache', () => job.names().includes('saveCache'));
    await job.handle.cancel();

    expect((await job.result()).state).toBe('canceled');
    await job.handle.result().catch(() => undefined);
    expect(job.names()).not.toContain('uploadArtifacts');
    expect(job.names()).toContain('releaseMachine');
  });

  it('is no shorter than it says: files that are there in time are kept', async () => {
    const job = await world.start(KEEPS_FILES, {
      saveCache: async () => {
        await delay(1_000);
        return { ok: true, text: 'kept in time\n', startedAtMs: 0, finishedAtMs: 0, attempts: 1 };
      },
    });
    await until('the cache', () => job.names().includes('saveCache'));
    await job.handle.cancel();

    await job.result();
    expect(job.names()).toContain('uploadArtifacts');
    expect(job.trace()).toContain('kept in time');
  });

  it('with the output of the steps before ends, too, where nobody may be there to read it', async () => {
    const job = await world.start(
      { ...KEEPS_FILES, source: { repo: 'https://git.example.com/group/project.git' } },
      { runStep: () => Promise.resolve(exited(0)), restoreCache: never, streamTrace: never },
    );
    await until('the cache', () => job.names().includes('restoreCache'));
    await job.handle.cancel();

    expect((await job.result()).state).toBe('canceled');
    await job.handle.result().catch(() => undefined);
    expect(job.names()).toContain('releaseMachine');
  });
});
