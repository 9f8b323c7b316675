import type { EngineOutage } from './engine-outage.js';
import type { FailureReason, FinalJobState, JobState, MetricsState } from './names.js';
import type { JobSpec } from './job-spec.js';

/**
 * Input of workflow `ciJob`. Anyone may start it: with a job file's content (`job`), as `temporal workflow start` does, or with a
 * spec that Holdfast made itself (`spec`).
 */
export type CiJobInput =
  /** `job`: the keywords of the job file, unchecked; the workflow refuses a bad one before anything is provisioned. */
  | { version: 1; job: unknown; holdOnFailureMs?: number }
  | { version: 1; spec: JobSpec; coordinator?: Coordinator; holdOnFailureMs?: number };

/** Where the job came from and must be reported to. Absent: the store alone. */
export interface Coordinator {
  kind: 'gitlab';
  /** Name of the `gitlab[]` entry, whose URL and TLS settings are used. */
  entry: string;
  url: string;
  jobId: number;
  /** The job's token. */
  token: string;
  /** `features.failure_reasons` of the payload. */
  failureReasons: string[];
  traceSections: boolean;
  /** The log shows more than it should to everybody (`CI_DEBUG_TRACE`). */
  debugTrace?: boolean;
}

/** What query `status` answers and `show --json` prints. Times are ISO 8601. */
export interface JobStatus {
  id: string;
  workflowId: string;
  name: string;
  project: string;
  pool: string;
  /** One sentence for a person. */
  summary: string;
  state: JobState;
  failureReason: FailureReason | null;
  /** What happened, in words; never holds a variable's value. */
  failureMessage: string | null;
  exitCode: number | null;
  /** The failure is allowed (`allow_failure`). */
  allowedToFail: boolean;
  metrics: MetricsState;
  metricsReason: string | null;
  machine: string | null;
  engine: string | null;
  image: string | null;
  queuedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  /** The machine is kept for debugging until then (`holdfast shell`, `holdfast release`); null: it is not held. */
  heldUntil: string | null;
  traceBytes: number;
  /** Machines used so far, this one included. */
  attempts: number;
  steps: StepStatus[];
  artifacts: ArtifactStatus[];
  /** While it waits for a machine: engines of its pool that take no jobs. Added by whoever asks; the workflow does not know. */
  outages?: EngineOutage[];
  /** While it waits: what else keeps it from being taken up, a sentence each. Added by whoever asks. */
  hindrances?: string[];
  /** The key that it was sealed with, when whoever asks does not have it: most of the rest is not known. */
  unknownKey?: string;
}

export interface StepStatus {
  name: string;
  state: 'pending' | 'running' | 'success' | 'failed' | 'canceled' | 'skipped';
  startedAt: string | null;
  finishedAt: string | null;
  exitCode: number | null;
  /** Deliveries of the step's activity; more than one means that a worker was replaced under it. The script still ran once. */
  attempts: number;
  /** The kernel killed its container for its memory. */
  oomKilled?: boolean;
}

export interface ArtifactStatus {
  name: string;
  type: string;
  format: string;
  bytes: number;
  files: number;
  /** Key in the store. */
  key: string;
  /** How long the coordinator keeps it, in GitLab's words (`1 week`); absent: as it likes. */
  expireIn?: string;
}

/** Answer of update `result`: the final status, also while metrics are still being collected. */
export interface CiJobResult {
  workflowId: string;
  state: FinalJobState;
  failureReason: FailureReason | null;
  failureMessage: string | null;
  exitCode: number | null;
  allowedToFail: boolean;
  metrics: MetricsState;
  traceBytes: number;
}

export interface ReplayMetricsInput {
  version: 1;
  /** Workflow id of the job. */
  job: string;
}

export interface ReplayMetricsResult {
  job: string;
  outcome: 'uploaded' | 'stored' | 'no_samples' | 'failed';
  reason: string;
  /** Rules of `metrics.rules` that the job has met. */
  flags: string[];
}

/** What a replay came to, kept beside the job: a closed workflow can no longer be told. */
export interface ReplayedMetrics extends Omit<ReplayMetricsResult, 'job'> {
  outcome: 'uploaded' | 'stored';
}
