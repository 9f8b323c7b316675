import type { JobStatus } from '../contracts/ci-job.js';
import { metricsWords, type MetricsState } from '../contracts/names.js';

/** The status of a job that is over, of whose metrics more is known than its workflow has said: in its sentence, too. */
export function withMetrics(status: JobStatus, metrics: MetricsState, metricsReason: string | null): JobStatus {
  const ofJob = status.summary.replace(metricsWords(status.metrics, status.metricsReason), '');
  return { ...status, metrics, metricsReason, summary: ofJob + metricsWords(metrics, metricsReason) };
}
