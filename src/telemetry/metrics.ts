import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { REASON_FAULTS } from '../contracts/faults.js';
import { FAILURE_REASONS, JOB_STATES } from '../contracts/names.js';

/** Everything that a worker says of itself; names are fixed (docs/metrics.md). Labels are bounded: no job, path or URL. */
export interface WorkerMetrics {
  registry: Registry;
  jobs: Gauge<'state'>;
  jobsTotal: Counter<'source'>;
  failedJobsTotal: Counter<'failure_reason' | 'fault'>;
  jobDuration: Histogram;
  jobQueueDuration: Histogram;
  jobStageDuration: Histogram<'stage'>;
  capacity: Gauge<'engine'>;
  machines: Gauge<'engine'>;
  engineOut: Gauge<'engine'>;
  apiRequests: Counter<'endpoint' | 'status'>;
  traceBytes: Counter;
  traceUploadLag: Histogram;
  metricsCollections: Counter<'outcome'>;
  flaggedJobs: Counter<'flag'>;
  oomKills: Counter;
}

/** GitLab runner's buckets (gitlab-protocol section 10), so that dashboards can be moved. */
const STAGE_BUCKETS = [1, 3, 10, 30, 60, 120, 300, 900, 1800, 3600];
const QUEUE_BUCKETS = STAGE_BUCKETS;
/** The same, and three below its first one of 30 s: our overhead is to be seen. */
const JOB_BUCKETS = [1, 3, 10, 30, 60, 300, 600, 1800, 3600, 7200, 10_800, 18_000, 36_000];
const LAG_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/**
 * A registry of its own with everything in it: two workers in one process do not meet.
 * @param flags names of the configured rules
 */
export function createWorkerMetrics(
  version: { version: string; revision: string },
  flags: readonly string[] = [],
): WorkerMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const info = new Gauge({
    name: 'holdfast_version_info',
    help: 'Version of the worker; always 1',
    labelNames: ['version', 'revision', 'node'],
    registers,
  });
  info.set({ ...version, node: process.version }, 1);
  const metrics: WorkerMetrics = {
    registry,
    jobs: new Gauge({ name: 'holdfast_jobs', help: 'Open jobs by state', labelNames: ['state'], registers }),
    jobsTotal: new Counter({
      name: 'holdfast_jobs_total',
      help: 'Jobs finished by this worker, by where they came from',
      labelNames: ['source'],
      registers,
    }),
    failedJobsTotal: new Counter({
      name: 'holdfast_failed_jobs_total',
      help: 'Failed jobs by failure reason, and whose fault that is',
      labelNames: ['failure_reason', 'fault'],
      registers,
    }),
    jobDuration: new Histogram({
      name: 'holdfast_job_duration_seconds',
      help: 'From the machine to the final status',
      buckets: JOB_BUCKETS,
      registers,
    }),
    jobQueueDuration: new Histogram({
      name: 'holdfast_job_queue_duration_seconds',
      help: 'From the start of the workflow to the machine',
      buckets: QUEUE_BUCKETS,
      registers,
    }),
    jobStageDuration: new Histogram({
      name: 'holdfast_job_stage_duration_seconds',
      help: 'Duration of a step',
      labelNames: ['stage'],
      buckets: STAGE_BUCKETS,
      registers,
    }),
    capacity: new Gauge({
      name: 'holdfast_capacity',
      help: 'Jobs at once that an engine takes',
      labelNames: ['engine'],
      registers,
    }),
    engineOut: new Gauge({
      name: 'holdfast_engine_out_of_rotation',
      help: '1 while an engine is out of rotation, since it failed job after job or lost machine after machine',
      labelNames: ['engine'],
      registers,
    }),
    machines: new Gauge({
      name: 'holdfast_machines',
      help: 'Leased machines of an engine',
      labelNames: ['engine'],
      registers,
    }),
    apiRequests: new Counter({
      name: 'holdfast_api_request_statuses_total',
      help: 'Answers of the coordinator by endpoint and status',
      labelNames: ['endpoint', 'status'],
      registers,
    }),
    traceBytes: new Counter({ name: 'holdfast_trace_bytes_total', help: 'Bytes that steps printed', registers }),
    traceUploadLag: new Histogram({
      name: 'holdfast_trace_upload_lag_seconds',
      help: 'From a byte in the store to the coordinator having it',
      buckets: LAG_BUCKETS,
      registers,
    }),
    metricsCollections: new Counter({
      name: 'holdfast_metrics_collections_total',
      help: 'Collections of job metrics by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    flaggedJobs: new Counter({
      name: 'holdfast_flagged_jobs_total',
      help: 'Jobs that met a rule of metrics.rules, by flag',
      labelNames: ['flag'],
      registers,
    }),
    oomKills: new Counter({
      name: 'holdfast_oom_kills_total',
      help: 'Steps whose container was killed for its memory',
      registers,
    }),
  };
  startAtZero(metrics, flags);
  return metrics;
}

/** A counter that appears with its first increase hides that increase from `rate` and `increase`. */
function startAtZero(metrics: WorkerMetrics, flags: readonly string[]): void {
  for (const state of JOB_STATES) metrics.jobs.set({ state }, 0);
  for (const source of ['gitlab', 'client']) metrics.jobsTotal.inc({ source }, 0);
  for (const reason of FAILURE_REASONS)
    metrics.failedJobsTotal.inc({ failure_reason: reason, fault: REASON_FAULTS[reason] }, 0);
  for (const outcome of ['uploaded', 'stored', 'no_samples', 'failed', 'retried'])
    metrics.metricsCollections.inc({ outcome }, 0);
  for (const flag of flags) metrics.flaggedJobs.inc({ flag }, 0);
}
