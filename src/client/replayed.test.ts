import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { JobStatus } from '../contracts/ci-job.js';
import { createDirectoryStore } from '../store/directory-store.js';
import { jobKeys } from '../store/keys.js';
import { statusAfterReplay } from './replayed.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-replayed-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

it('after a replay a job says one thing of its metrics, in its sentence too', async () => {
  const store = createDirectoryStore({ directory });
  const replayed = { outcome: 'uploaded', reason: '6 series', flags: [] };
  await store.write(jobKeys.metricsReplayed('job/a'), JSON.stringify(replayed));
  const before: Partial<JobStatus> = {
    workflowId: 'job/a',
    metrics: 'failed',
    metricsReason: 'Prometheus cannot be reached',
    summary: 'The job failed: Metrics: none there. Metrics: failed (Prometheus cannot be reached).',
  };

  const status = await statusAfterReplay(store, before as JobStatus);

  expect(status).toMatchObject({
    metrics: 'uploaded',
    metricsReason: 'replayed: 6 series',
    summary: 'The job failed: Metrics: none there. Metrics: uploaded (replayed: 6 series).',
  });
});
