import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobKeys } from '../../../src/store/keys.js';
import { startS3, type TestS3 } from '../../support/s3.js';
import { TEST_IMAGE } from '../../support/docker.js';
import { startStack, type Stack } from '../../support/stack.js';
import { until } from '../../support/processes.js';
import { stepOutput } from '../../support/trace-text.js';

/** Lines over some seconds, so that a worker can be killed among them. */
const LINES = 400;
const SCRIPT = `n=0; while [ $n -lt ${String(LINES)} ]; do echo "line $n"; n=$((n+1)); [ $((n % 50)) = 0 ] && sleep 1; done; echo run >>/shared/s3-runs`;

describe('with its store in a bucket', () => {
  let directory: string;
  let s3: TestS3;
  let stack: Stack;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-s3-secret-'));
    s3 = await startS3();
    const secretAccessKeyFile = join(directory, 'secret');
    writeFileSync(secretAccessKeyFile, `${s3.credentials.secretAccessKey}\n`, { mode: 0o600 });
    const { endpoint, bucket, credentials } = s3;
    const store = { s3: { endpoint, bucket, prefix: 'ci', accessKeyId: credentials.accessKeyId, secretAccessKeyFile } };
    stack = await startStack({ top: { store }, prometheus: false });
  });

  afterAll(async () => {
    await stack.close();
    await s3.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('keeps trace and artifacts, live, also over the death of a worker', async () => {
    const job = { image: TEST_IMAGE, script: [SCRIPT, 'echo made >made'], artifacts: { paths: ['made'] } };
    const handle = await stack.client.startJob(job);
    let trace = '';
    let killed = false;
    for await (const chunk of handle.trace()) {
      trace += chunk.toString();
      if (killed || !trace.includes('line 100\n')) continue;
      killed = true;
      expect((await handle.status()).finishedAt).toBeNull();
      await stack.worker().stop('SIGKILL');
      await stack.startWorker();
    }
    const result = await handle.result();
    const { artifacts } = await handle.status();

    expect(result.state).toBe('success');
    expect(killed).toBe(true);
    const numbered = stepOutput(trace, 'step_script')
      .split('\n')
      .filter((line) => line.startsWith('line '));
    expect(numbered).toEqual(Array.from({ length: LINES }, (_, n) => `line ${String(n)}`));
    expect(artifacts).toHaveLength(1);
    expect((await stack.client.store.read(artifacts[0]!.key))?.length).toBe(artifacts[0]?.bytes);
    // One object when it is over, whatever it was written in.
    expect((await stack.client.store.read(jobKeys.trace(handle.workflowId)))?.toString()).toBe(trace);
    await until('an engine without leftovers', () => stack.leftovers().length === 0);
  });

  it('lets a job be canceled at once while its cache does not come', async () => {
    const cache = { key: 'withheld', paths: ['c'], when: 'always' };
    const job = { image: TEST_IMAGE, script: ['mkdir -p c; echo run >>/shared/s3-canceled'], cache };
    await (await stack.client.startJob({ ...job, script: ['mkdir c; echo kept >c/file'] })).result();
    const held = s3.withhold('withheld');
    const handle = await stack.client.startJob({ ...job, after_script: ['echo after >>/shared/s3-canceled'] });
    await until('a cache that is waited for', () => held.waiting() > 0);
    await handle.cancel();
    const result = await handle.result();
    const stillWaiting = held.waiting();
    held.release();

    expect(result).toMatchObject({ state: 'canceled', failureReason: 'job_canceled' });
    expect(stillWaiting).toBeGreaterThan(0);
    expect(existsSync(join(stack.shared, 's3-canceled'))).toBe(false);
    expect((await handle.status()).steps.map(({ name, state }) => [name, state])).toEqual([
      ['restore_cache', 'canceled'],
      ['step_script', 'skipped'],
      ['after_script', 'skipped'],
      ['archive_cache', 'skipped'],
    ]);
    await until('an engine without leftovers', () => stack.leftovers().length === 0);
  });
});
