import type { FailureReason } from './names.js';

/**
 * Whose fault a failure is, which is: who must act. `provider`: what the runner stands on (engine, registry, store, Prometheus).
 * `nobody`: part of ordinary operation.
 */
export const FAULTS = ['user', 'runner', 'provider', 'coordinator', 'nobody'] as const;
export type Fault = (typeof FAULTS)[number];

export interface FaultEntry {
  fault: Fault;
  meaning: string;
  /** What whoever must act can do. */
  remedy: string;
}

/** Every code that an activity or a workflow of ours fails with; `docs/errors.md` is written from it. */
export const FAILURE_CODES = {
  INVALID_JOB: {
    fault: 'user',
    meaning: 'The job is not valid and was refused before anything was made',
    remedy: 'Correct what the message names; "holdfast run" checks a job file before it starts anything',
  },
  JOB_MISCONFIGURED: {
    fault: 'user',
    meaning: 'The job cannot be run as it is: something in it does not fit together',
    remedy: 'Correct what the trace names',
  },
  IMAGE_NOT_AVAILABLE: {
    fault: 'user',
    meaning: 'An image does not exist or may not be pulled',
    remedy: 'Check the name, its tag and the credentials (DOCKER_AUTH_CONFIG)',
  },
  NOT_ALLOWED: {
    fault: 'user',
    meaning: 'The job asks for something that the configuration does not allow',
    remedy: 'Use what is allowed, or have the operator allow it (engines[].allowedImages and its kind)',
  },
  BAD_OPTIONS: {
    fault: 'user',
    meaning: 'The engine refused the options of a container',
    remedy: 'Correct the image, the service or the option that the message names',
  },
  ENGINE_FULL: {
    fault: 'nobody',
    meaning: 'All slots of the engine were taken in that instant; the job waits',
    remedy: 'Nothing; raise engines[].capacity if jobs wait for too long',
  },
  ENGINE_OUT: {
    fault: 'provider',
    meaning:
      'The engine went out of rotation while the job was on its way to it; the job waits for another one of its pool',
    remedy: '"holdfast machines" says why it is out; it comes back by itself',
  },
  ENGINE_UNREACHABLE: {
    fault: 'provider',
    meaning: 'The engine does not answer',
    remedy: "Start the engine, or correct engines[].docker and the worker's permission to use it",
  },
  ENGINE_FAULT: {
    fault: 'provider',
    meaning: 'The engine answered with a fault of its own (a full disk, a broken driver)',
    remedy: "Read the message and the engine's log on its host",
  },
  MACHINE_GONE: {
    fault: 'provider',
    meaning: 'The machine or its container was taken away from outside',
    remedy: 'Look for what removes containers on that host (a prune, a reboot, the kernel out of memory)',
  },
  IMAGE_PULL_FAILED: {
    fault: 'provider',
    meaning: 'An image exists and could not be pulled',
    remedy: "Look at the registry and at the engine's disk",
  },
  REGISTRY_UNREACHABLE: {
    fault: 'provider',
    meaning: 'The registry does not answer',
    remedy: 'Look at the network between engine and registry; pullPolicy: if-not-present uses what is there',
  },
  STORE_GAP: {
    fault: 'provider',
    meaning: 'The store has lost bytes that were written to it before',
    remedy: 'Check the disk or the bucket; all workers of a job must use the same store',
  },
  STORE_FULL: {
    fault: 'provider',
    meaning: 'There is no room left in the store',
    remedy: 'Make room; the job goes on by itself then',
  },
  STORE_READ_ONLY: {
    fault: 'provider',
    meaning: 'The store cannot be written',
    remedy: 'Make it writable for the user of the worker; the job goes on by itself then',
  },
  STORE_UNREACHABLE: {
    fault: 'provider',
    meaning: 'The store does not answer',
    remedy: 'Look at the mount or the S3 endpoint; the job goes on by itself then',
  },
  STORE_BAD_KEY: {
    fault: 'runner',
    meaning: 'A key that the store cannot hold: an error in Holdfast',
    remedy: 'Report it, with the message',
  },
  PLAN_MISSING: {
    fault: 'provider',
    meaning: "The job's plan is not in the store",
    remedy: 'All workers must use the same store; look for what removed it',
  },
  PROMETHEUS_UNREACHABLE: {
    fault: 'provider',
    meaning: 'Prometheus does not answer; the result of the job is not touched',
    remedy: 'Start it, or correct metrics.prometheusUrl',
  },
  PROMETHEUS_TIMEOUT: {
    fault: 'provider',
    meaning: 'Prometheus took the question and did not answer in time',
    remedy: 'Look at its load, or make the query cheaper',
  },
  PROMETHEUS_FAULT: {
    fault: 'provider',
    meaning: 'Prometheus answered with a fault of its own',
    remedy: "Read the message and Prometheus' log",
  },
  PROMETHEUS_DENIED: {
    fault: 'provider',
    meaning: 'Prometheus does not let this worker ask',
    remedy: 'Correct metrics.bearerTokenFile, basicAuth or headers, or the proxy between them',
  },
  PROMETHEUS_REFUSED: {
    fault: 'provider',
    meaning: 'Prometheus does not understand a query',
    remedy: 'Correct metrics.queries; "holdfast metrics replay" collects again',
  },
  METRICS_NOT_CONFIGURED: {
    fault: 'runner',
    meaning: 'The worker that was to collect metrics has no Prometheus',
    remedy: 'Give all workers the same metrics.prometheusUrl',
  },
  COORDINATOR_UNKNOWN: {
    fault: 'runner',
    meaning: 'This worker has no gitlab[] entry of that name; another one may',
    remedy: 'Give all workers the same gitlab entries',
  },
  COORDINATOR_AWAY: {
    fault: 'coordinator',
    meaning: 'GitLab did not take an update or a file; it is repeated',
    remedy: 'Look at GitLab and the way to it; the job goes on meanwhile',
  },
  HANDED_OVER: {
    fault: 'nobody',
    meaning: 'The worker was told to stop and left its work to the next one',
    remedy: 'Nothing; a worker must be there to take it',
  },
  OVERSLEPT: {
    fault: 'runner',
    meaning:
      'The worker was paused for longer than its heartbeats may be late, and left the work to whoever went on meanwhile',
    remedy: 'Look for what paused the process: a stopped or suspended machine, a debugger, memory that was swapped out',
  },
  CUT_OFF: {
    fault: 'provider',
    meaning:
      'The worker did not reach Temporal for longer than its heartbeats may be late, and left the work to whoever went on meanwhile',
    remedy: 'Look at Temporal and at the way to it: a firewall that forgets connections, a cable',
  },
  WORKER_LOST: {
    fault: 'runner',
    meaning: 'The worker was not heard of any more',
    remedy:
      "It was killed, ran out of memory, was paused or cut off from Temporal: look at its log and the kernel's. The script went on meanwhile",
  },
  TIME_LIMIT: {
    fault: 'runner',
    meaning: 'The work took longer than Holdfast waits for it',
    remedy: 'Look for what held it up: a worker of that engine must run',
  },
  UNEXPECTED: {
    fault: 'runner',
    meaning: 'A failure that Holdfast does not know: probably an error in it',
    remedy: "Report it, with the worker's log",
  },
} as const satisfies Record<string, FaultEntry>;
export type FailureCode = keyof typeof FAILURE_CODES;

/** What a failure of that code means; unknown ones are as unexpected. */
export function faultOf(code: string): FaultEntry {
  return Object.hasOwn(FAILURE_CODES, code) ? FAILURE_CODES[code as FailureCode] : FAILURE_CODES.UNEXPECTED;
}

/** Whose fault it is when a job ends like this and no activity has said more. */
export const REASON_FAULTS: Record<FailureReason, Fault> = {
  script_failure: 'user',
  runner_system_failure: 'runner',
  job_execution_timeout: 'user',
  image_pull_failure: 'provider',
  runner_configuration_error: 'user',
  runner_external_dependency_failure: 'provider',
  runner_interrupted: 'runner',
  runner_unsupported: 'user',
  missing_dependency_failure: 'user',
  job_canceled: 'nobody',
  unknown_failure: 'runner',
};
