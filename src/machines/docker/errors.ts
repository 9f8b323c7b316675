import { MachineError, type MachineErrorCode } from '../engine.js';

/** dockerode's errors carry the engine's HTTP status. */
export function statusOf(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined;
}

export function isNotFound(error: unknown): boolean {
  return statusOf(error) === 404;
}

/** 409: the name is taken, or what is to be removed is being removed. */
export function isConflict(error: unknown): boolean {
  return statusOf(error) === 409;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Told as a fault of the engine (500) when a container starts, but it would never start. */
const JOBS_MISTAKE = /unable to find (?:user|group) |no matching entries in (?:passwd|group) file/i;

/** What a step is run by. */
const NO_SHELL = /exec: "sh": executable file not found/;

const WANTS_SHELL =
  'a job is run by a shell: use an image with sh or bash in its usual place (often one whose tag says "debug" or "alpine")';

/** The container came to its end, and the shell in it never began. */
export function shellNeverBegan(exitCode: number): MachineError {
  const text = `The container ended with exit code ${String(exitCode)} before a shell began in it; ${WANTS_SHELL}, and an entry point must run the command that it is given: "image: { entrypoint: [''] }" in the job leaves that of the image out`;
  return fault('BAD_OPTIONS', text, false, undefined);
}

/** What an engine's refusal means for the job, and who must act. */
export function toMachineError(error: unknown, doing: string): Error {
  if (error instanceof MachineError) return error;
  if (error instanceof Error && error.name === 'AbortError') return error;
  const status = statusOf(error);
  const text = `${doing}: ${messageOf(error)}`;
  if (NO_SHELL.test(text)) return fault('BAD_OPTIONS', `The image has no shell; ${WANTS_SHELL}`, false, error);
  if (status === undefined)
    return fault('ENGINE_UNREACHABLE', `${text}. Is the engine running, and may this user reach it?`, true, error);
  if (status === 400 || JOBS_MISTAKE.test(text)) return fault('BAD_OPTIONS', text, false, error);
  if (status === 404) return fault('MACHINE_GONE', text, true, error);
  return fault('ENGINE_FAULT', text, true, error);
}

function fault(code: MachineErrorCode, message: string, retryable: boolean, cause: unknown): MachineError {
  return new MachineError(code, message, { retryable, traceMessage: message, cause });
}

const ALREADY_STARTED = 304;

/** Starting is idempotent: another attempt has done it, or an earlier one that died before it heard the answer. */
export async function startedAnyhow(starting: Promise<unknown>): Promise<void> {
  try {
    await starting;
  } catch (error) {
    if (statusOf(error) !== ALREADY_STARTED) throw error;
  }
}

/** Removing is idempotent: what is gone or going is removed. */
export async function ignoringGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
