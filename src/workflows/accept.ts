import { ApplicationFailure, patched } from '@temporalio/workflow';
import { z } from 'zod';
import type { CiJobInput, Coordinator } from '../contracts/ci-job.js';
import type { JobProblem } from '../contracts/job-input.js';
import type { JobSpec } from '../contracts/job-spec.js';
import { parseJobObject, type ParsedJob } from '../job/job-file.js';
import { plannedSteps, type PlannedStep } from '../job/planned-steps.js';
import { toProblems } from '../job/problems.js';
import { jobFileToSpec } from '../job/to-spec.js';
import { upsert } from './journal.js';

export interface AcceptedJob {
  spec: JobSpec;
  coordinator?: Coordinator;
  steps: PlannedStep[];
}

const HoldOnFailure = z.number({ error: 'must be a number of milliseconds' }).min(0, { error: 'must not be negative' });
const Version = z.literal(1, { error: 'must be 1' });
const GivenJob = z.strictObject({ version: Version, job: z.unknown(), holdOnFailureMs: HoldOnFailure.optional() });
/** What Holdfast itself starts; it checks neither its own spec nor where that came from. */
const GivenSpec = z.strictObject({
  version: Version,
  spec: z.unknown(),
  // Absent in what the client starts.
  coordinator: z.unknown().optional(),
  holdOnFailureMs: HoldOnFailure.optional(),
});

/** Before this patch, extra keys and a wrong `holdOnFailureMs` were passed over, and a refused job had no state. */
const CHECKED_WHOLE = 'input-checked-whole';

/**
 * The last entrance check: whoever started the workflow (our client has checked already; `temporal workflow start` has not), a
 * bad job ends here, before anything is provisioned.
 * @throws ApplicationFailure `INVALID_JOB`, not retryable, naming every problem with its path
 */
export function acceptJob(input: CiJobInput): AcceptedJob {
  const given: unknown = input;
  if (typeof given !== 'object' || given === null) refuse([{ path: '(input)', message: `must be ${FORM}` }]);
  return 'spec' in input ? acceptSpec(input) : acceptJobFile(input);
}

const FORM = '{"version": 1, "job": {…}}';

function acceptSpec(input: Extract<CiJobInput, { spec: JobSpec }>): AcceptedJob {
  const problems = problemsOf(GivenSpec, input);
  const steps = plannedStepsOf(input.spec);
  if (steps === undefined)
    problems.push({ path: 'spec', message: 'is not what Holdfast makes: start the job with "job" instead' });
  if (steps === undefined || !isVersion1(input) || (problems.length > 0 && patched(CHECKED_WHOLE))) refuse(problems);
  return { spec: input.spec, steps, ...(input.coordinator === undefined ? {} : { coordinator: input.coordinator }) };
}

function acceptJobFile(input: Exclude<CiJobInput, { spec: JobSpec }>): AcceptedJob {
  const problems = problemsOf(GivenJob, input);
  const parsed: ParsedJob =
    'job' in input
      ? parseJobObject(input.job)
      : { ok: false, problems: [{ path: 'job', message: `is missing: the input is ${FORM}` }] };
  if (!parsed.ok) refuse([...problems, ...parsed.problems]);
  if (!isVersion1(input) || (problems.length > 0 && patched(CHECKED_WHOLE))) refuse(problems);
  const spec = jobFileToSpec(parsed.job);
  return { spec, steps: plannedSteps(spec) };
}

function problemsOf(schema: typeof GivenJob | typeof GivenSpec, input: CiJobInput): JobProblem[] {
  const checked = schema.safeParse(input);
  return checked.success ? [] : toProblems(checked.error, () => Object.keys(schema.shape));
}

function isVersion1({ version }: { version: unknown }): boolean {
  return version === 1;
}

/** Specs are made by Holdfast alone. One that somebody else has put together ends here and not in a task that is retried for ever. */
function plannedStepsOf(spec: JobSpec): PlannedStep[] | undefined {
  try {
    return plannedSteps(spec);
  } catch {
    return undefined;
  }
}

function refuse(problems: JobProblem[]): never {
  if (patched(CHECKED_WHOLE)) {
    upsert({ HoldfastJobState: 'failed', HoldfastFailureReason: 'runner_unsupported', HoldfastMetrics: 'none' });
  }
  throw invalidJob(problems);
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
