import { isDeepStrictEqual } from 'node:util';
import { WorkflowFailedError } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import type { CiJobInput, CiJobResult } from '../../../src/contracts/ci-job.js';
import type { JobSpec } from '../../../src/contracts/job-spec.js';
import { isFinalJobState, RELEASE_SIGNAL, type JobState, type MetricsState } from '../../../src/contracts/names.js';
import { parseJobObject } from '../../../src/job/job-file.js';
import { jobFileToSpec } from '../../../src/job/to-spec.js';
import { until } from '../../support/processes.js';
import type { FakeJob, FakeWorld } from '../fake-world.js';
import { GITLAB } from '../gitlab-job.js';
import { expectedOf, type Expected } from './expected.js';
import { hasJobLimit, type JobHistory } from './job-history.js';
import type { FakeMetrics } from './metrics.js';
import { JOB_LIMIT_MS, playJob, type Played } from './played-job.js';

/** A job that is not closed by then never will be: every limit and every patience in a history is shorter. */
const CLOSES_IN_MS = 90_000;

/**
 * Plays a history on the real workflow and holds what came of it against the model.
 * @returns what is not as it must be, in words; `slow`: the machine that it ran on was, so nothing can be said
 */
export async function checkHistory(world: FakeWorld, history: JobHistory): Promise<string[] | 'slow'> {
  const expected = expectedOf(history);
  const played = playJob(history);
  const job = await world.start(jobFileOf(history), played.behaviour, { input: inputOf(history) });
  played.begin(job.handle);
  const problems: string[] = [];
  const compare = (what: string, actual: unknown, wanted: unknown) => {
    if (!isDeepStrictEqual(actual, wanted)) {
      problems.push(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(wanted)}`);
    }
  };

  try {
    await endHold(job, history, expected, compare);
    const closed = await inTime(closingOf(job));
    compare('the workflow was canceled', closed.canceled, expected.canceled);
    await compareResults(job, played, closed.result, { history, expected, compare });
  } catch (error) {
    problems.push(`${String(error)}; it did: ${played.calls.join(', ')}; expected: ${expected.calls.join(', ')}`);
    await job.handle.terminate().catch(() => undefined);
  }
  compare('what was done', played.calls, expected.calls);
  compare('machines handed over', played.machines, expected.machines);
  compare('machines released', played.released.toSorted(), expected.machines);
  compare(
    'metrics collected of the machine that counts',
    expected.measured === undefined || history.metrics === 'off' || played.metrics.collected.has(expected.measured),
    true,
  );
  compare('final reports', played.reports, [reportOf(expected)]);
  compare(
    'final states told to the coordinator',
    played.coordinator.told,
    expected.told === undefined ? [] : [expected.told],
  );
  compare('misdeeds', played.misdeeds, []);
  return played.slow() ? 'slow' : problems;
}

type Compare = (what: string, actual: unknown, wanted: unknown) => void;

function reportOf({ state, failureReason, exitCode }: Expected) {
  return { state, failureReason, exitCode: state === 'failed' ? exitCode : null };
}

async function compareResults(
  job: FakeJob,
  { answers, metrics }: Played,
  returned: CiJobResult | undefined,
  { history, expected, compare }: { history: JobHistory; expected: Expected; compare: Compare },
): Promise<void> {
  const { state, failureReason, exitCode, allowedToFail } = expected;
  const wanted = { state, failureReason, exitCode, allowedToFail };
  const status = await job.status();
  compare('the status', pick(status), wanted);
  if (returned !== undefined) compare('the result', pick(returned), wanted);
  for (const answer of answers) compare('an answer to a client', pick(await answer.result()), wanted);
  compare('the state of the metrics', status.metrics, metricsOf(history, expected, metrics));
  const states = await statesOf(job);
  compare('final states in visibility', states.filter(isFinalJobState), [state]);
  compare('the last state in visibility', states.at(-1), state);
}

/** Whether the coordinator got them in time is a matter of chance; what is told of it is not. */
function metricsOf({ metrics, coordinator }: JobHistory, { measured }: Expected, { sent }: FakeMetrics): MetricsState {
  if (metrics === 'off' || measured === undefined) return 'none';
  if (metrics === 'failing' || metrics === 'hanging') return 'failed';
  return coordinator && sent() !== measured ? 'stored' : 'uploaded';
}

function pick({ state, failureReason, exitCode, allowedToFail }: Omit<CiJobResult, 'state'> & { state: JobState }) {
  return { state, failureReason, exitCode, allowedToFail };
}

/** Somebody looks at the held machine and lets it go; a job that is not held must not need that. */
async function endHold(job: FakeJob, history: JobHistory, expected: Expected, compare: Compare): Promise<void> {
  if (history.hold !== 'until released' || !expected.held) return;
  await until('the held machine', async () => (await job.status()).heldUntil !== null, CLOSES_IN_MS);
  compare(
    'a machine was released although it is held',
    job.names().filter(isRelease).length,
    expected.machines.length - 1,
  );
  await until('the final status', async () => isFinalJobState((await job.status()).state), CLOSES_IN_MS);
  await job.handle.signal(RELEASE_SIGNAL);
}

const isRelease = (name: string) => name === 'releaseMachine';

async function closingOf({ handle }: FakeJob): Promise<{ canceled: boolean; result?: CiJobResult }> {
  try {
    return { canceled: false, result: (await handle.result()) as CiJobResult };
  } catch (error) {
    if (error instanceof WorkflowFailedError && error.cause instanceof CancelledFailure) return { canceled: true };
    throw error;
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not close in ${String(CLOSES_IN_MS / 1000)} s`)), CLOSES_IN_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

/** Every state that visibility was told, in order. */
async function statesOf({ handle }: FakeJob): Promise<JobState[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap((event) => {
    const fields = event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields;
    const data = fields?.['HoldfastJobState']?.data;
    return data == null ? [] : [JSON.parse(Buffer.from(data).toString()) as JobState];
  });
}

function jobFileOf(history: JobHistory): object {
  return {
    name: 'modelled',
    ...(history.sources ? { source: { repo: 'https://git.example.com/group/project.git' } } : {}),
    ...(history.services ? { services: ['redis'] } : {}),
    ...(history.cache ? { cache: { key: 'k', paths: ['c'] } } : {}),
    ...(history.artifacts ? { artifacts: { paths: ['out'], when: 'always' } } : {}),
    ...(history.afterScript ? { after_script: ['true'] } : {}),
    ...(hasJobLimit(history) ? { timeout: `${String(JOB_LIMIT_MS / 1000)}s` } : {}),
    // A number alone is for any failure.
    retry: history.retry.when.length === 0 ? history.retry.max : history.retry,
    interruptible: history.interruptible,
    allow_failure: history.allowFailure === 'exit code 3' ? { exit_codes: 3 } : history.allowFailure === 'yes',
  };
}

function inputOf(history: JobHistory): Partial<CiJobInput> & { job?: undefined } {
  const hold = { no: {}, 'for a moment': { holdOnFailureMs: 300 }, 'until released': { holdOnFailureMs: 600_000 } };
  if (!history.coordinator) return hold[history.hold];
  return {
    ...hold[history.hold],
    job: undefined,
    spec: specOf(history),
    coordinator: GITLAB,
  };
}

function specOf(history: JobHistory): JobSpec {
  const parsed = parseJobObject({ script: ['true'], ...jobFileOf(history) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const spec = jobFileToSpec(parsed.job);
  return {
    ...spec,
    steps: [...spec.steps, ...(history.secondStep ? [{ name: 'release', script: ['true'] }] : [])],
    dependencies: history.dependencies
      ? [{ id: 1, name: 'other', token: 'token', filename: 'artifacts.zip', size: 1 }]
      : [],
  };
}
