import { ApplicationFailure } from '@temporalio/workflow';
import type { CiJobInput, Coordinator } from '../contracts/ci-job.js';
import type { JobProblem } from '../contracts/job-input.js';
import type { JobSpec } from '../contracts/job-spec.js';
import { parseJobObject } from '../job/job-file.js';
import { jobFileToSpec } from '../job/to-spec.js';

export interface AcceptedJob {
  spec: JobSpec;
  coordinator?: Coordinator;
}

/**
 * The last entrance check: whoever started the workflow (our client has checked already; `temporal workflow start` has not), a
 * bad job ends here, before anything is provisioned.
 * @throws ApplicationFailure `INVALID_JOB`, not retryable, naming every problem with its path
 */
export function acceptJob(input: CiJobInput): AcceptedJob {
  const given: unknown = input;
  if (typeof given !== 'object' || given === null || !('version' in given) || given.version !== 1) {
    throw invalidJob([{ path: 'version', message: 'must be 1: the input is {"version": 1, "job": {…}}' }]);
  }
  if ('spec' in input) {
    return { spec: input.spec, ...(input.coordinator === undefined ? {} : { coordinator: input.coordinator }) };
  }
  if (!('job' in input))
    throw invalidJob([{ path: 'job', message: 'is missing: the input is {"version": 1, "job": {…}}' }]);
  const parsed = parseJobObject(input.job);
  if (!parsed.ok) throw invalidJob(parsed.problems);
  return { spec: jobFileToSpec(parsed.job) };
}

function invalidJob(problems: JobProblem[]): ApplicationFailure {
  const lines = problems.map((problem) => `${problem.path}: ${problem.message}`);
  return ApplicationFailure.create({
    type: 'INVALID_JOB',
    nonRetryable: true,
    message: `The job is not valid. ${lines.join('; ')}`,
    details: [{ problems }],
  });
}
