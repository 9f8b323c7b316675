import type { JobStatus, ReplayedMetrics } from '../contracts/ci-job.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import type { JobSummary } from './job-summary.js';
import { withMetrics } from './with-metrics.js';

export async function readReplayed(store: Store, workflowId: string): Promise<ReplayedMetrics | undefined> {
  const kept = await store.read(jobKeys.metricsReplayed(workflowId));
  // Written by the activity `replayJobMetrics`.
  return kept === undefined ? undefined : (JSON.parse(kept.toString('utf8')) as ReplayedMetrics);
}

/** The status as it is after a replay. */
export async function statusAfterReplay(store: Store, status: JobStatus): Promise<JobStatus> {
  if (status.metrics !== 'failed') return status;
  const replayed = await readReplayed(store, status.workflowId);
  if (replayed === undefined) return status;
  return withMetrics(status, replayed.outcome, `replayed: ${replayed.reason}`);
}

/** The same for a list. @param wanted the state that was asked for: what is no longer in it goes */
export async function listAfterReplay(
  store: Store,
  jobs: JobSummary[],
  wanted: string | undefined,
): Promise<JobSummary[]> {
  const now = await Promise.all(
    jobs.map(async (job) => {
      if (job.metrics !== 'failed') return job;
      const replayed = await readReplayed(store, job.workflowId);
      if (replayed === undefined) return job;
      return { ...job, metrics: replayed.outcome, flags: [...new Set([...job.flags, ...replayed.flags])] };
    }),
  );
  return wanted === undefined ? now : now.filter(({ metrics }) => metrics === wanted);
}
