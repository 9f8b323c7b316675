import type { JobProblem } from '../contracts/job-input.js';

/** The job is not valid; nothing was started. */
export class JobInvalidError extends Error {
  override readonly name = 'JobInvalidError';
  readonly problems: JobProblem[];

  constructor(problems: JobProblem[]) {
    super(
      problems
        .map(({ line, path, message }) => `${line === undefined ? '' : `line ${String(line)}: `}${path}: ${message}`)
        .join('\n'),
    );
    this.problems = problems;
  }
}

/** A job of this id was started before; it is not run twice. */
export class JobExistsError extends Error {
  override readonly name = 'JobExistsError';
}

export class JobNotFoundError extends Error {
  override readonly name = 'JobNotFoundError';
}

/** A server that is needed does not answer. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

/** The address of a page of the list was made up, or cut off on its way. */
export class BadPageError extends Error {
  override readonly name = 'BadPageError';
  readonly statusCode = 400;

  constructor() {
    super('What the address has after "page=" is no page of the list of jobs.');
  }
}
