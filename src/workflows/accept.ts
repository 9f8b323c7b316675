import { ApplicationFailure } from '@temporalio/workflow';
import type { CiJobInput, Coordinator } from '../contracts/ci-job.js';
import type { JobProblem } from '../contracts/job-input.js';
import type { JobSpec } from '../contracts/job-spec.js';
import { parseJobObject } from '../job/job-file.js';
import { plannedSteps, type PlannedStep } from '../job/planned-steps.js';
import { jobFileToSpec } from '../job/to-spec.js';

export interface AcceptedJob {
  spec: JobSpec;
  coordinator?: Coordinator;
  steps: PlannedStep[];
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
    return {
      spec: input.spec,
      steps: stepsOf(input.spec),
      ...(input.coordinator === undefined ? {} : { coordinator: input.coordinator }),
    };
  }
  if (!('job' in input))
    throw invalidJob([{ path: 'job', message: 'is missing: the input is {"version": 1, "job": {…}}' }]);
  const parsed = parseJobObject(input.job);
  if (!parsed.ok) throw invalidJob(parsed.problems);
  const spec = jobFileToSpec(parsed.job);
  return { spec, steps: stepsOf(spec) };
}

/** Specs are made by Holdfast alone. One that somebody else has put together ends here and not in a task that is retried for ever. */
function stepsOf(spec: JobSpec): PlannedStep[] {
  try {
    return plannedSteps(spec);
  } catch {
    throw invalidJob([{ path: 'spec', message: 'is not what Holdfast makes: start the job with "job" instead' }]);
  }
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
