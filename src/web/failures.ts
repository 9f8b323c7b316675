import { JobNotFoundError, UnreachableError } from '../client/errors.js';
import { StoreError } from '../store/store.js';

/** What a person is told when a page cannot be made. */
export interface Failure {
  status: number;
  title: string;
  text: string;
  remedy: string;
  /** Nobody has foreseen it: it belongs into the log. */
  unexpected: boolean;
}

export function toFailure(error: unknown): Failure {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof JobNotFoundError)
    return {
      status: 404,
      title: 'There is no such job',
      text: `${text}.`.replace(/\.\.$/, '.'),
      remedy:
        'It was never started, or Temporal has forgotten it: jobs are kept as long as the namespace’s retention says.',
      unexpected: false,
    };
  if (error instanceof UnreachableError)
    return {
      status: 503,
      title: 'Temporal does not answer',
      text: `${text}.`,
      remedy:
        'Running scripts go on. Reload the page when Temporal is back; GET /readyz of the worker says what else is missing.',
      unexpected: false,
    };
  if (error instanceof StoreError || isFileError(error))
    return {
      status: 503,
      title: 'The store cannot be read',
      text:
        error instanceof StoreError ? text : 'The directory that store.directory names cannot be read by the worker.',
      remedy:
        'Traces, graphs and artifacts are in the store. Check that it is there and that the worker’s user may read it.',
      unexpected: false,
    };
  if (isClientError(error))
    return {
      status: error.statusCode,
      title: 'This request makes no sense here',
      text,
      remedy: 'Go back to the list of jobs.',
      unexpected: false,
    };
  return {
    status: 500,
    title: 'This page could not be made',
    text: 'Something went wrong that nobody has foreseen.',
    remedy: 'The worker’s log has the whole story, at the time of this page.',
    unexpected: true,
  };
}

function isFileError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(E[A-Z]{2,}|STORE_\w+)$/.test(code);
}

function isClientError(error: unknown): error is { statusCode: number } {
  if (!(error instanceof Error) || !('statusCode' in error)) return false;
  const { statusCode } = error;
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500;
}
