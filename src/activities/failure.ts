import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { FailureDetails } from '../contracts/activities.js';
import type { FailureReason } from '../contracts/names.js';
import { MachineError, type MachineErrorCode } from '../machines/engine.js';
import { StoreError } from '../store/store.js';

/**
 * The one bridge from our errors to Temporal's. Messages name no user data: they are not encrypted, details are.
 * @param hide takes secrets out of what the details say: they are in the worker's log and in the flight record in clear
 */
export function toActivityFailure(
  error: unknown,
  extra: Partial<FailureDetails> = {},
  hide: (text: string) => string = (text) => text,
): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  if (error instanceof MachineError) return machineFailure(error, extra, hide);
  if (error instanceof StoreError) {
    return ApplicationFailure.create({
      type: error.code,
      message: `The store cannot be used (${error.code})`,
      nonRetryable: error.code === 'STORE_BAD_KEY',
      details: [{ reason: 'runner_system_failure', message: error.message, ...extra }],
    });
  }
  return ApplicationFailure.create({
    type: 'UNEXPECTED',
    message: error instanceof Error ? `Unexpected ${error.name}` : 'Unexpected failure',
    nonRetryable: false,
    details: [
      {
        reason: 'runner_system_failure',
        message: hide(error instanceof Error ? error.message : String(error)),
        ...extra,
      },
    ],
  });
}

function machineFailure(
  error: MachineError,
  extra: Partial<FailureDetails>,
  hide: (text: string) => string,
): ApplicationFailure {
  return ApplicationFailure.create({
    type: error.code,
    message: WORDS[error.code],
    nonRetryable: !error.retryable,
    details: [{ reason: REASONS[error.code], message: hide(error.traceMessage ?? error.message), ...extra }],
    ...(error.code === 'ENGINE_FULL' ? { category: ApplicationFailureCategory.BENIGN, nextRetryDelay: '1s' } : {}),
  });
}

const WORDS: Record<MachineErrorCode, string> = {
  ENGINE_FULL: 'All slots of the engine are taken',
  ENGINE_UNREACHABLE: 'The engine cannot be reached',
  ENGINE_FAULT: 'The engine answered with a fault of its own',
  IMAGE_NOT_AVAILABLE: 'An image does not exist or may not be pulled',
  IMAGE_PULL_FAILED: 'An image could not be pulled',
  REGISTRY_UNREACHABLE: 'The registry cannot be reached',
  NOT_ALLOWED: 'The job asks for something that the configuration does not allow',
  BAD_OPTIONS: 'The engine refused the options of a container',
  MACHINE_GONE: 'The machine is gone',
};

/** GitLab's words for it; gitlab-protocol section 3.5. */
const REASONS: Record<MachineErrorCode, FailureReason> = {
  ENGINE_FULL: 'runner_system_failure',
  ENGINE_UNREACHABLE: 'runner_system_failure',
  ENGINE_FAULT: 'runner_system_failure',
  IMAGE_NOT_AVAILABLE: 'runner_configuration_error',
  IMAGE_PULL_FAILED: 'image_pull_failure',
  REGISTRY_UNREACHABLE: 'runner_external_dependency_failure',
  NOT_ALLOWED: 'runner_configuration_error',
  BAD_OPTIONS: 'runner_configuration_error',
  MACHINE_GONE: 'runner_system_failure',
};
