/** Names that cross process borders: Temporal types, queues, search attributes, states, labels. Fixed for other people's scripts. */

export const CI_JOB_WORKFLOW = 'ciJob';
export const REPLAY_METRICS_WORKFLOW = 'replayMetrics';
export const STATUS_QUERY = 'status';
/** Update that returns when the job's final status is decided, not when the workflow closes. */
export const RESULT_UPDATE = 'result';
/** Signal that ends a hold for debugging. */
export const RELEASE_SIGNAL = 'release';
/** Signal of the provisioning activity: a machine is being made ready for the job. */
export const PREPARING_SIGNAL = 'preparing';

/** Why a query fails that is to be asked again, and brings its answer then: nothing is lost by it (ADR 32). */
export const READ_ANEW = 'The workflow is read anew from its history: ask again';

export const JOB_STATES = ['pending', 'preparing', 'running', 'finishing', 'success', 'failed', 'canceled'] as const;
export type JobState = (typeof JOB_STATES)[number];
export type FinalJobState = Extract<JobState, 'success' | 'failed' | 'canceled'>;

export function isFinalJobState(state: JobState | null): state is FinalJobState {
  return state === 'success' || state === 'failed' || state === 'canceled';
}

/**
 * `pending` being collected · `uploaded` with the job (at GitLab, or in the store for a job without a coordinator) ·
 * `stored` kept in the store, the coordinator no longer takes it · `failed` · `none` not configured.
 */
export const METRICS_STATES = ['pending', 'uploaded', 'stored', 'failed', 'none'] as const;
export type MetricsState = (typeof METRICS_STATES)[number];

/** The last words of the summary of a job that is over. */
export function metricsWords(state: MetricsState, reason: string | null): string {
  if (state === 'none') return '';
  if (state === 'pending') return ' Metrics are still being collected.';
  return ` Metrics: ${state}${reason === null ? '' : ` (${reason})`}.`;
}

export const SEARCH_ATTRIBUTES = {
  HoldfastJobState: 'Keyword',
  HoldfastFailureReason: 'Keyword',
  HoldfastProject: 'Keyword',
  HoldfastPool: 'Keyword',
  HoldfastMachine: 'Keyword',
  HoldfastMetrics: 'Keyword',
  HoldfastFlags: 'KeywordList',
} as const;

/** GitLab's failure reasons that Holdfast itself gives; GitLab maps what it does not know to `unknown_failure`. */
export const FAILURE_REASONS = [
  'script_failure',
  'runner_system_failure',
  'job_execution_timeout',
  'image_pull_failure',
  'runner_configuration_error',
  'runner_external_dependency_failure',
  'runner_interrupted',
  'runner_unsupported',
  'missing_dependency_failure',
  'job_canceled',
  'unknown_failure',
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

export const DEFAULT_TASK_QUEUE = 'holdfast';
export const DEFAULT_POOL = 'default';

/** Everything that touches one engine; any worker configured with the engine polls it. */
export function engineTaskQueue(taskQueue: string, engine: string): string {
  return `${taskQueue}.engine.${engine}`;
}

/** Jobs of a pool wait here for a machine: Temporal's queue is the job queue. */
export function poolTaskQueue(taskQueue: string, pool: string): string {
  return `${taskQueue}.pool.${pool}`;
}

/**
 * Conversations with coordinators, each as long as its job: on a queue of their own, so that they never take the slots that the
 * end of a job needs. Polled by workers that have a `gitlab` entry.
 */
export function coordinatorTaskQueue(taskQueue: string): string {
  return `${taskQueue}.coordinator`;
}

/**
 * Collections of metrics, which wait for Prometheus, perhaps for a day: on a queue of their own, so that however many of them wait, no job's
 * end waits with them. Any worker polls it.
 */
export function metricsTaskQueue(taskQueue: string): string {
  return `${taskQueue}.metrics`;
}

export function jobWorkflowId(id: string): string {
  return `job/${id}`;
}

/** @param host host and port as in the URL (`gitlab.example.com`, `127.0.0.1:8929`) */
export function gitlabWorkflowId(host: string, jobId: number): string {
  return `gitlab/${host}/${jobId}`;
}

export function replayWorkflowId(jobWorkflowId: string): string {
  return `replay-metrics/${jobWorkflowId}`;
}

/** @returns the job whose metrics a replay collects */
export function jobOfReplay(replayId: string): string {
  return replayId.slice(replayWorkflowId('').length);
}

/** The last part of a workflow id, which people may type where it is unique. */
export function shortJobId(workflowId: string): string {
  return workflowId.slice(workflowId.lastIndexOf('/') + 1);
}

export const LABEL_JOB = 'holdfast.job';
export const LABEL_MACHINE = 'holdfast.machine';
export const LABEL_ROLE = 'holdfast.role';
