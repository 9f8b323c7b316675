import { ConfigError } from '../config/load.js';
import type { CiJobResult } from '../contracts/ci-job.js';

/** Exit codes of every command; `sysexits` where it has one, `timeout`'s and the shell's where people know those. */
export const EXIT = {
  success: 0,
  usage: 64,
  unreachable: 69,
  systemFailure: 70,
  jobTimeout: 124,
  canceled: 130,
} as const;

/** `run` exits as the job did. An allowed failure still has the script's code: what may go on without the job is its caller's to say. */
export function exitCodeOf(result: CiJobResult): number {
  switch (result.state) {
    case 'success':
      return EXIT.success;
    case 'canceled':
      return EXIT.canceled;
    case 'failed':
      if (result.failureReason === 'job_execution_timeout') return EXIT.jobTimeout;
      return result.failureReason === 'script_failure' && result.exitCode !== null
        ? result.exitCode
        : EXIT.systemFailure;
  }
}

/** By name: the classes are in modules that a command may not have loaded. */
export function exitCodeOfError(error: unknown): number {
  if (error instanceof ConfigError) return EXIT.usage;
  const name = error instanceof Error ? error.name : '';
  if (['JobInvalidError', 'JobExistsError', 'JobNotFoundError', 'UsageError', 'KeyRingError'].includes(name))
    return EXIT.usage;
  return name === 'UnreachableError' ? EXIT.unreachable : EXIT.systemFailure;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}
