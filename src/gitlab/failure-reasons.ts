import type { JobReport } from '../contracts/activities.js';
import type { JobUpdate } from './client.js';

/** Known to every GitLab; the rest only when `features.failure_reasons` names it. */
const ALWAYS_SUPPORTED = ['script_failure', 'runner_system_failure', 'job_execution_timeout'];

const FALLBACKS: Record<string, string> = {
  image_pull_failure: 'runner_system_failure',
  runner_configuration_error: 'script_failure',
  runner_external_dependency_failure: 'runner_system_failure',
};

/** gitlab-protocol section 3.5, "Mapping". */
export function supportedReason(reason: string, supported: readonly string[]): string {
  if (ALWAYS_SUPPORTED.includes(reason) || supported.includes(reason)) return reason;
  return FALLBACKS[reason] ?? 'unknown_failure';
}

/** The final report in GitLab's words: it knows `success` and `failed`; a cancelled job has failed as `job_canceled`. */
export function finalUpdate(report: JobReport, supported: readonly string[]): JobUpdate {
  if (report.state === 'success') return { state: 'success' };
  const reason = report.failureReason ?? (report.state === 'canceled' ? 'job_canceled' : 'unknown_failure');
  return {
    state: 'failed',
    failureReason: supportedReason(reason, supported),
    ...(report.exitCode === null ? {} : { exitCode: report.exitCode }),
  };
}
