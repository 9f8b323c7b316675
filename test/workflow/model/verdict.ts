import type { FilesEnd } from './job-history.js';

/** How a job, or a part of it, has ended. */
export interface Verdict {
  state: 'success' | 'failed' | 'canceled';
  failureReason: string | null;
  exitCode: number | null;
}

export const SUCCESS: Verdict = { state: 'success', failureReason: null, exitCode: null };
export const CANCELED: Verdict = { state: 'canceled', failureReason: 'job_canceled', exitCode: null };
export const TIMED_OUT = failed('job_execution_timeout');
export const LOST = failed('runner_system_failure');

export function failed(failureReason: string, exitCode: number | null = null): Verdict {
  return { state: 'failed', failureReason, exitCode };
}

export function verdictOfFiles(end: FilesEnd): Verdict {
  if (end === 'not ok') return failed('script_failure', 1);
  return end === 'broken' ? LOST : SUCCESS;
}

/** The first failure of a job is what it is told by. */
export function worse(first: Verdict, later: Verdict): Verdict {
  return first === SUCCESS ? later : first;
}
