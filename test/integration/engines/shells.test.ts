import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageSpec } from '../../../src/contracts/job-spec.js';
import { bareEngine, requestFor } from '../../support/bare-engine.js';
import { docker, ensureTestImage, removeAll, TEST_IMAGE } from '../../support/docker.js';

const ENGINE = `t-${randomBytes(4).toString('hex')}`;
const SHELLLESS = `holdfast/${ENGINE}-shellless:1`;

const engine = bareEngine(ENGINE, { namespaceId: 'namespace' });

beforeAll(() => {
  ensureTestImage();
  const root = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
  execFileSync('cp', ['/bin/busybox', join(root, 'app')]);
  execFileSync('sh', ['-c', `tar -C ${root} -c . | docker import - ${SHELLLESS}`]);
  rmSync(root, { recursive: true });
});

afterAll(() => {
  removeAll(ENGINE);
  docker('rmi', '-f', SHELLLESS);
});

async function run(job: string, image: ImageSpec): Promise<unknown> {
  const { machine } = await engine.acquire(requestFor(engine, job, { image }), {});
  try {
    return await engine.runStep(
      machine,
      { name: 'step_script', environment: {} },
      { signal: AbortSignal.timeout(30_000) },
    );
  } finally {
    await engine.release(machine, {});
  }
}

describe('a script that no shell can run', () => {
  it("is the job's own mistake, in words, where the image has no shell", async () => {
    await expect(run('job/shellless', { name: SHELLLESS })).rejects.toMatchObject({
      code: 'BAD_OPTIONS',
      retryable: false,
      traceMessage: expect.stringMatching(/^The image has no shell; .*use an image with sh or bash/),
    });
  });

  it('is that too where the entry point does something else', async () => {
    await expect(run('job/entrypoint', { name: TEST_IMAGE, entrypoint: ['false'] })).rejects.toMatchObject({
      code: 'BAD_OPTIONS',
      retryable: false,
      traceMessage: expect.stringMatching(/exit code 1 before a shell began.*entrypoint: \[''\]/),
    });
  });

  it('has that entry point run once, also when it is asked for again, and when after_script is', async () => {
    const image = { name: TEST_IMAGE, entrypoint: ['sh', '-c', 'echo the entry point has run'] };
    const { machine } = await engine.acquire(requestFor(engine, 'job/once', { image }), {});
    const run = (name: string) =>
      engine.runStep(machine, { name, environment: {} }, { signal: AbortSignal.timeout(30_000) });

    for (const step of ['step_script', 'step_script', 'after_script'])
      await expect(run(step)).rejects.toMatchObject({ code: 'BAD_OPTIONS' });

    const runs = docker('logs', `holdfast-${machine}-build`).filter((line) => line.includes('has run'));
    await engine.release(machine, {});
    expect(runs).toHaveLength(1);
  });
});
