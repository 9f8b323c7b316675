import type { JobSpec } from '../contracts/job-spec.js';
import type { FailureReason, FinalJobState } from '../contracts/names.js';
import type { StepResult } from '../contracts/activities.js';

/** How an attempt of the job ended. Decided by the steps alone: uploads of metrics never change it (law 6). */
export type Outcome =
  | { kind: 'success' }
  | { kind: 'failed'; reason: FailureReason; exitCode: number | null; message: string }
  | { kind: 'canceled'; message: string };

/** Why a running step was ended from outside. */
export type Interruption =
  /** `graceful`: after_script still runs, if the script had begun. Not so when the coordinator has given the job up. */
  | { kind: 'cancel'; message: string; graceful: boolean }
  | { kind: 'job_timeout'; limitMs: number }
  | { kind: 'script_timeout'; limitMs: number };

/**
 * What a step of files (a download, an upload) exits with when it fails: in gitlab-runner those are commands of its helper, whose code
 * the job gets as its own (gitlab-protocol section 3.5), also for `allow_failure: {exit_codes: 1}`.
 */
export const HELPER_EXIT_CODE = 1;

export function finalState(outcome: Outcome): FinalJobState {
  return outcome.kind;
}

export function outcomeOfInterruption(interruption: Interruption): Outcome {
  switch (interruption.kind) {
    case 'cancel':
      return { kind: 'canceled', message: interruption.message };
    case 'job_timeout':
    case 'script_timeout':
      return {
        kind: 'failed',
        reason: 'job_execution_timeout',
        exitCode: null,
        message: `execution took longer than ${formatSeconds(interruption.limitMs)} seconds`,
      };
  }
}

/** @param interruption why the step was stopped, when it was; it outranks whatever the stopped step says (cancellation outranks its fallout) */
export function outcomeOfStep(result: StepResult, interruption: Interruption | undefined): Outcome {
  if (interruption !== undefined && !(result.kind === 'exited' && result.exitCode === 0)) {
    return outcomeOfInterruption(interruption);
  }
  switch (result.kind) {
    case 'lost':
      return result.mistake === true
        ? { kind: 'failed', reason: 'runner_configuration_error', exitCode: null, message: result.reason }
        : machineLost(result.reason);
    case 'stopped':
      return { kind: 'canceled', message: 'canceled' };
    case 'exited':
      if (result.exitCode === 0) return { kind: 'success' };
      return {
        kind: 'failed',
        reason: 'script_failure',
        exitCode: result.exitCode,
        message: result.oomKilled
          ? `exit code ${String(result.exitCode)} (out of memory: the kernel killed a process of it)`
          : `exit code ${String(result.exitCode)}`,
      };
  }
}

export function machineLost(reason: string): Outcome {
  return {
    kind: 'failed',
    reason: 'runner_system_failure',
    exitCode: null,
    message: `the machine was lost: ${reason}`,
  };
}

/** The first trouble stands: a later step never makes a job better or tells another story. */
export function worse(first: Outcome, later: Outcome): Outcome {
  return first.kind === 'success' ? later : first;
}

/** Value of `CI_JOB_STATUS` in after_script. */
export function ciJobStatus(outcome: Outcome): 'success' | 'failed' | 'canceled' | 'timedout' {
  if (outcome.kind === 'failed' && outcome.reason === 'job_execution_timeout') return 'timedout';
  return outcome.kind;
}

export function isAllowedToFail(spec: JobSpec, outcome: Outcome): boolean {
  if (outcome.kind !== 'failed') return false;
  switch (spec.allowFailure.kind) {
    case 'never':
      return false;
    case 'always':
      return true;
    case 'exitCodes':
      return outcome.exitCode !== null && spec.allowFailure.exitCodes.includes(outcome.exitCode);
  }
}

/**
 * Whether the job runs again on another machine.
 * `retry` of a GitLab job is GitLab's own business (its payload carries none); a lost machine is ours when the job is
 * `interruptible`, at most twice as GitLab's own `retry` allows.
 */
export function runsAgain(spec: JobSpec, outcome: Outcome, attempt: number): boolean {
  if (outcome.kind !== 'failed') return false;
  const lost = outcome.reason === 'runner_system_failure';
  if (lost && spec.interruptible && attempt <= 2) return true;
  const { max, when, exitCodes = [] } = spec.retry;
  if (attempt > max) return false;
  if (outcome.exitCode !== null && exitCodes.includes(outcome.exitCode)) return true;
  return when.includes('always') || when.includes(outcome.reason);
}

function formatSeconds(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'm'],
    [seconds % 60, 's'],
  ] as const;
  const from = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(from === -1 ? 2 : from)
    .map(([count, unit]) => `${String(count)}${unit}`)
    .join('');
}
