import { CancellationScope, patched } from '@temporalio/workflow';
import type { DeliverResult, FilesResult, Provisioned } from '../contracts/activities.js';
import { stageSection, warningLine } from '../trace/format.js';
import { coordinatorActivities, keepActivities, prepareActivities } from './activity-stubs.js';
import { runContainerStep } from './container-step.js';
import { outcomeOfFailure } from './failure.js';
import type { JobContext } from './job-context.js';
import { refOf } from './machine-ref.js';
import { HELPER_EXIT_CODE, outcomeOfInterruption, worse, type Interruption, type Outcome } from './outcome.js';

/** Patch. Jobs that an earlier release has begun wait for such a step to its end, whatever ends the job, and keep their files. */
export const ENDS_WITH_THE_JOB = 'files-steps-end-with-the-job';

/**
 * What a canceled job waits for its files: longer than to pack them takes, and not for ever, since worker and machine may be lost.
 * The same again for the output of the steps before.
 */
const PATIENCE_MS = 10 * 60_000;

type Ends = (interruption: Interruption) => boolean;
type Moved<T> = { value: T } | { interruption: Interruption };

/** Sources, cache and artifacts of other jobs. The first failure ends the job before its script, and so does whatever ends the job. */
export async function prepareFiles(job: JobContext, machine: Provisioned, planned: string[]): Promise<Outcome> {
  let outcome: Outcome = { kind: 'success' };
  if (planned.includes('get_sources')) outcome = await runContainerStep(job, machine, 'get_sources', {});
  if (outcome.kind === 'success' && planned.includes('restore_cache')) {
    outcome = await runFilesStep(job, { step: 'restore_cache' }, (step) =>
      untilEnded(job, () => preparing(job, machine, step).restoreCache({ ...refOf(machine), step, environment: {} })),
    );
  }
  if (outcome.kind === 'success' && planned.includes('download_artifacts')) {
    outcome = await downloadArtifacts(job, machine);
  }
  return outcome;
}

/** From the coordinator to the store, however long the coordinator is away while the job has time, and from there to the machine. */
async function downloadArtifacts(job: JobContext, machine: Provisioned): Promise<Outcome> {
  return await runFilesStep(job, { step: 'download_artifacts' }, async (step) => {
    const startedAtMs = Date.now();
    const fetched = await untilEnded(job, () => fetchDependencies(job, machine), { always: true });
    if ('interruption' in fetched) return fetched;
    const { ok, text } = fetched.value;
    if (!ok) return { value: { ok, text, startedAtMs, finishedAtMs: Date.now(), attempts: 1 } };
    const extracted = await untilEnded(job, () =>
      preparing(job, machine, step).downloadArtifacts({ ...refOf(machine), step, environment: {} }),
    );
    if ('interruption' in extracted) return extracted;
    return { value: { ...extracted.value, text: text + extracted.value.text, startedAtMs } };
  });
}

function preparing(job: JobContext, machine: Provisioned, step: string) {
  return prepareActivities(job.taskQueue, machine, job.spec.timeoutMs, step);
}

/** A job that no coordinator has given has none. */
async function fetchDependencies(job: JobContext, machine: Provisioned): Promise<DeliverResult> {
  const { coordinator, workflowId } = job;
  if (coordinator === undefined) return { ok: true, text: '' };
  const activities = coordinatorActivities(job.taskQueue, job.spec.timeoutMs, 'fetch artifacts of other jobs');
  return await activities.fetchDependencies({ workflowId, attempt: machine.attempt, coordinator });
}

/** Cache and artifacts, from the machine to the store. `endsAll`: what keeps them away although they are under way. */
export async function keepFiles(
  job: JobContext,
  machine: Provisioned,
  planned: string[],
  { outcome, endsAll }: { outcome: Outcome; endsAll: Ends },
): Promise<Outcome> {
  const jobSucceeded = outcome.kind === 'success';
  const ref = refOf(machine);
  let result: Outcome = { kind: 'success' };
  if (planned.includes('archive_cache')) {
    const section = jobSucceeded ? 'archive_cache' : 'archive_cache_on_failure';
    const saved = await runFilesStep(job, { step: 'archive_cache', section, endedBy: endsAll }, (step) =>
      untilKept(job, machine, endsAll, () =>
        keepActivities(job.taskQueue, machine, section).saveCache({ ...ref, step, jobSucceeded }),
      ),
    );
    result = worse(result, saved);
  }
  if (planned.includes('upload_artifacts') && job.engineServed(machine)) {
    const section = jobSucceeded ? 'upload_artifacts_on_success' : 'upload_artifacts_on_failure';
    const sent = await runFilesStep(job, { step: 'upload_artifacts', section, endedBy: endsAll }, async (step) => {
      const uploaded = await untilKept(job, machine, endsAll, () =>
        keepActivities(job.taskQueue, machine, section).uploadArtifacts({ ...ref, step, jobSucceeded }),
      );
      if ('value' in uploaded) job.journal.artifacts(uploaded.value.artifacts);
      return uploaded;
    });
    result = worse(result, sent);
  }
  return result;
}

/** Work that is given up when the job is ended. `always`: also in jobs that an earlier release has begun. */
async function untilEnded<T>(
  job: JobContext,
  work: () => Promise<T>,
  { always = false }: { always?: boolean } = {},
): Promise<Moved<T>> {
  const scope = new CancellationScope({ cancellable: true });
  const result = scope.run(work);
  const interruption = await job.interruptions.guard(result);
  if (interruption === undefined || !(always || patched(ENDS_WITH_THE_JOB))) return { value: await result };
  scope.cancel();
  await result.catch(() => undefined);
  return { interruption };
}

/** Work that a cancel lets come to its end: what a script has made is kept of a canceled job, too. */
async function untilKept<T>(
  job: JobContext,
  machine: Provisioned,
  endsAll: Ends,
  work: () => Promise<T>,
): Promise<Moved<T>> {
  const scope = new CancellationScope({ cancellable: true });
  const result = scope.run(work);
  const endedBy: Ends = (interruption) => interruption.kind === 'cancel' || endsAll(interruption);
  let interruption = await job.interruptions.guard(result, { endedBy });
  if (interruption === undefined || !patched(ENDS_WITH_THE_JOB)) return { value: await result };
  if (!endsAll(interruption)) {
    const limit = { ms: PATIENCE_MS, interruption, summary: 'patience of a canceled job with its files' };
    interruption = await job.interruptions.guard(result, { endedBy: endsAll, limit });
    if (interruption === undefined) return { value: await result };
    job.markUnserved(machine);
  }
  scope.cancel();
  await result.catch(() => undefined);
  return { interruption };
}

/**
 * A step made of files that the worker moves by itself; what it has to say goes to the trace as a section.
 * @param what `endedBy`: what lets it not begin any more
 */
async function runFilesStep(
  job: JobContext,
  { step, section = step, endedBy = () => true }: { step: string; section?: string; endedBy?: Ends },
  run: (step: string) => Promise<Moved<FilesResult>>,
): Promise<Outcome> {
  const before = job.interruptions.current(endedBy);
  if (before !== undefined && patched(ENDS_WITH_THE_JOB)) return outcomeOfInterruption(before);
  const startedAtMs = Date.now();
  job.journal.stepStarted(step);
  const end = (outcome: Outcome, text: string, facts: Partial<FilesResult> = {}): Outcome => {
    const { startedAtMs: from = startedAtMs, finishedAtMs: to = Date.now() } = facts;
    job.trace.write(stageSection(section, from, to, text));
    job.journal.stepEnded(step, outcome.kind, facts);
    return outcome;
  };
  try {
    const moved = await run(step);
    if ('interruption' in moved) {
      // Nobody may be there any more: the output of the steps before is not waited for for ever either.
      if (patched(ENDS_WITH_THE_JOB)) job.trace.giveUpAfter(PATIENCE_MS);
      return end(outcomeOfInterruption(moved.interruption), '');
    }
    const { value } = moved;
    if (value.ok) return end({ kind: 'success' }, value.text, value);
    const message = `${section} failed`;
    return end({ kind: 'failed', reason: 'script_failure', exitCode: HELPER_EXIT_CODE, message }, value.text, value);
  } catch (error) {
    const outcome = outcomeOfFailure(error, section);
    return end(outcome, outcome.kind === 'failed' ? warningLine(outcome.message) : '');
  }
}
