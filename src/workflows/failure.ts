import { ActivityFailure, ApplicationFailure, isCancellation } from '@temporalio/workflow';
import type { FailureDetails } from '../contracts/activities.js';
import type { FailureReason } from '../contracts/names.js';
import { machineLost, type Outcome } from './outcome.js';

/** What an activity said of its failure, if it said anything. */
export function failureDetails(error: unknown): FailureDetails | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (!(cause instanceof ApplicationFailure)) return undefined;
  const details: unknown = cause.details?.[0];
  return isFailureDetails(details) ? details : undefined;
}

export function outcomeOfFailure(error: unknown, doing: string): Outcome {
  if (isCancellation(error)) return { kind: 'canceled', message: 'canceled' };
  const details = failureDetails(error);
  if (codeOf(error) === 'MACHINE_GONE') return machineLost(details?.message ?? messageOf(error));
  const reason: FailureReason = details?.reason ?? 'runner_system_failure';
  if (reason === 'job_canceled') return { kind: 'canceled', message: 'canceled' };
  return {
    kind: 'failed',
    reason,
    exitCode: null,
    message: details?.message ?? `${doing} failed: ${messageOf(error)}`,
  };
}

function codeOf(error: unknown): string | null | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure ? cause.type : undefined;
}

export function messageOf(error: unknown): string {
  const cause = error instanceof ActivityFailure ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message : String(cause);
}

function isFailureDetails(value: unknown): value is FailureDetails {
  return typeof value === 'object' && value !== null && 'reason' in value && 'message' in value;
}
