import { proxyActivities, upsertSearchAttributes } from '@temporalio/workflow';
import type { Activities } from '../contracts/activities.js';
import type { ReplayMetricsInput, ReplayMetricsResult } from '../contracts/ci-job.js';

import { flagsAttribute } from './journal.js';

/**
 * Collect the metrics of a job again. One workflow a job (its id is made of the job's), so two people who replay at once share
 * one upload.
 */
export async function replayMetrics(input: ReplayMetricsInput): Promise<ReplayMetricsResult> {
  const activities = proxyActivities<Pick<Activities, 'replayJobMetrics'>>({
    // A person waits for the answer: say soon what is wrong rather than retry for a day.
    startToCloseTimeout: '3m',
    heartbeatTimeout: '30s',
    retry: { maximumAttempts: 3, initialInterval: '1s' },
    summary: `metrics of ${input.job}`,
  });
  const result = await activities.replayJobMetrics(input);
  // The job's own workflow is closed: what only the replay has found can be looked up here (client/replay-flags.ts).
  if (result.flags.length > 0) upsertSearchAttributes([flagsAttribute(result.flags)]);
  return result;
}
