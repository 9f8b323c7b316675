import { expect, it } from 'vitest';
import type { JobStatus } from '../contracts/ci-job.js';
import { withMetrics } from './with-metrics.js';

it('a status says what has become of the metrics in place of what it said before, and everything else as before', () => {
  const kept: Partial<JobStatus> = {
    metrics: 'pending',
    metricsReason: null,
    summary: 'The job failed: exit code 1. Done, undelivered. Metrics are still being collected.',
  };

  expect(withMetrics(kept as JobStatus, 'uploaded', null)).toEqual({
    metrics: 'uploaded',
    metricsReason: null,
    summary: 'The job failed: exit code 1. Done, undelivered. Metrics: uploaded.',
  });
});
