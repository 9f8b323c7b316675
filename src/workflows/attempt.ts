import { CancellationScope, isCancellation, patched } from '@temporalio/workflow';
import type {
  DeliverResult,
  FilesResult,
  MachineRef,
  Provisioned,
  StageTime,
  StepResult,
} from '../contracts/activities.js';
import type { FailureReason } from '../contracts/names.js';
import { stageSection, stageTitle, warningLine } from '../trace/format.js';
import {
  coordinatorActivities,
  machineActivities,
  provisionActivities,
  releaseActivities,
  stepActivities,
  stopActivities,
} from './activity-stubs.js';
import { failureDetails, messageOf, outcomeOfFailure } from './failure.js';
import type { JobContext } from './job-context.js';
import {
  ciJobStatus,
  machineLost,
  outcomeOfInterruption,
  outcomeOfStep,
  worse,
  type Interruption,
  type Outcome,
  HELPER_EXIT_CODE,
} from './outcome.js';

/** Between SIGTERM and SIGKILL. */
const STOP_GRACE_MS = 10_000;

/** What a cancel of the provisioning may look like, besides the cancellation itself. */
const FALLOUT: ReadonlySet<FailureReason> = new Set(['job_canceled', 'runner_system_failure']);

/** One machine's life: provision, the steps, and its release in the background. */
export async function runAttempt(job: JobContext, attempt: number): Promise<Outcome> {
  job.journal.preparing(attempt);
  const provisioned = await provision(job, attempt);
  if ('outcome' in provisioned) return provisioned.outcome;
  const { machine } = provisioned;
  job.journal.running(machine);
  job.interruptions.startJobTimer(job.spec.timeoutMs);
  try {
    return await runSteps(job, machine);
  } finally {
    job.interruptions.stopJobTimer();
    job.background(releaseWhenRead(job, machine));
  }
}

async function provision(job: JobContext, attempt: number): Promise<{ machine: Provisioned } | { outcome: Outcome }> {
  const scope = new CancellationScope({ cancellable: true });
  const work = scope.run(() =>
    provisionActivities(
      job.taskQueue,
      job.spec.pool,
      `machine ${String(attempt)} for ${job.spec.name}`,
    ).provisionMachine({
      workflowId: job.workflowId,
      attempt,
      spec: job.spec,
      ...(job.coordinator === undefined ? {} : { coordinator: job.coordinator }),
      nonce: job.nonce(),
      trace: job.trace.position(),
      prelude: job.trace.takePending(),
      queuedAtMs: job.queuedAtMs,
    }),
  );
  const interruption = await job.interruptions.guard(work);
  if (interruption !== undefined) scope.cancel();
  try {
    const machine = await work;
    job.trace.moveTo(machine.trace);
    job.trace.write(machine.notes);
    if (interruption === undefined) return { machine };
    job.background(releaseWhenRead(job, machine));
    return { outcome: outcomeOfInterruption(interruption) };
  } catch (error) {
    const told = failureDetails(error);
    if (told?.trace === undefined) job.trace.lostTrack();
    else job.trace.moveTo(told.trace);
    // Whatever comes of a cancel is the cancel: Temporal gives what is being canceled no further attempt, so a worker or an engine that
    // is lost just then shows as a failure. What the job itself had wrong is told.
    const isFallout = isCancellation(error) || told === undefined || FALLOUT.has(told.reason);
    const outcome =
      interruption !== undefined && isFallout
        ? outcomeOfInterruption(interruption)
        : outcomeOfFailure(error, 'preparing the machine');
    return { outcome };
  }
}

async function runSteps(job: JobContext, machine: Provisioned): Promise<Outcome> {
  const planned = job.steps.map((step) => step.name);
  const prepared = await prepareFiles(job, machine, planned);
  let outcome = prepared;
  if (outcome.kind === 'success') outcome = await runMainSteps(job, machine, planned);
  const scriptEndedAtMs = Date.now();

  job.startMetrics(machine, scriptEndedAtMs, outcome);
  job.journal.finishing();
  if (prepared.kind === 'success' && planned.includes('after_script') && afterScriptRuns(job)) {
    outcome = worse(outcome, await runAfterScript(job, machine, outcome));
  }
  outcome = worse(outcome, whatKeepsFilesAway(job, machine, planned));
  if (!filesAreKept(job, machine, outcome)) return outcome;
  return worse(outcome, await keepFiles(job, machine, planned, outcome));
}

/** A job whose files could not be kept is no success, even if its script was one. */
function whatKeepsFilesAway(job: JobContext, machine: Provisioned, planned: string[]): Outcome {
  const interruption = job.interruptions.current();
  if (interruption !== undefined && !afterScriptRuns(job)) return outcomeOfInterruption(interruption);
  const hasFiles = planned.includes('archive_cache') || planned.includes('upload_artifacts');
  if (hasFiles && !job.engineServed(machine)) return machineLost('after its script nobody could reach it any more');
  return { kind: 'success' };
}

/** Sources, cache and artifacts of other jobs. The first failure ends the job before its script. */
async function prepareFiles(job: JobContext, machine: Provisioned, planned: string[]): Promise<Outcome> {
  let outcome: Outcome = { kind: 'success' };
  if (planned.includes('get_sources')) outcome = await runContainerStep(job, machine, 'get_sources', {});
  if (outcome.kind === 'success' && planned.includes('restore_cache')) {
    outcome = await runFilesStep(job, 'restore_cache', 'restore_cache', (step) => {
      const activities = stepActivities(job.taskQueue, machine, job.spec.timeoutMs, step);
      return activities.restoreCache({ ...refOf(machine), step, environment: {} });
    });
  }
  if (outcome.kind === 'success' && planned.includes('download_artifacts')) {
    outcome = await downloadArtifacts(job, machine);
  }
  return outcome;
}

/** From the coordinator to the store, however long the coordinator is away while the job has time, and from there to the machine. */
async function downloadArtifacts(job: JobContext, machine: Provisioned): Promise<Outcome> {
  let interruption: Interruption | undefined;
  const outcome = await runFilesStep(job, 'download_artifacts', 'download_artifacts', async (step) => {
    const startedAtMs = Date.now();
    const fetched = await interruptible(job, () => fetchDependencies(job, machine));
    if ('interruption' in fetched) {
      ({ interruption } = fetched);
      return { ok: false, text: '', startedAtMs, finishedAtMs: Date.now(), attempts: 1 };
    }
    const { ok, text } = fetched.value;
    if (!ok) return { ok, text, startedAtMs, finishedAtMs: Date.now(), attempts: 1 };
    const activities = stepActivities(job.taskQueue, machine, job.spec.timeoutMs, step);
    const extracted = await activities.downloadArtifacts({ ...refOf(machine), step, environment: {} });
    return { ...extracted, text: text + extracted.text, startedAtMs };
  });
  return interruption === undefined ? outcome : outcomeOfInterruption(interruption);
}

/** A job that no coordinator has given has none. */
async function fetchDependencies(job: JobContext, machine: Provisioned): Promise<DeliverResult> {
  const { coordinator, workflowId } = job;
  if (coordinator === undefined) return { ok: true, text: '' };
  const activities = coordinatorActivities(job.taskQueue, job.spec.timeoutMs, 'fetch artifacts of other jobs');
  return await activities.fetchDependencies({ workflowId, attempt: machine.attempt, coordinator });
}

/** Work that is cancelled when the job is interrupted. */
async function interruptible<T>(
  job: JobContext,
  work: () => Promise<T>,
): Promise<{ value: T } | { interruption: Interruption }> {
  const scope = new CancellationScope({ cancellable: true });
  const result = scope.run(work);
  const interruption = await job.interruptions.guard(result);
  if (interruption === undefined) return { value: await result };
  scope.cancel();
  await result.catch(() => undefined);
  return { interruption };
}

async function runMainSteps(job: JobContext, machine: Provisioned, planned: string[]): Promise<Outcome> {
  const limit =
    machine.scriptTimeoutMs === null
      ? undefined
      : {
          ms: machine.scriptTimeoutMs,
          interruption: { kind: 'script_timeout', limitMs: machine.scriptTimeoutMs } as const,
        };
  for (const step of planned.filter((name) => name.startsWith('step_'))) {
    const outcome = await runContainerStep(job, machine, step, {}, limit);
    if (outcome.kind !== 'success') return outcome;
  }
  return { kind: 'success' };
}

/**
 * Runs on after success, failure, script timeout and cancel; its own failure is a warning only, unless the job says that it counts
 * or the machine was lost.
 * @returns what it makes of a job that had been fine
 */
async function runAfterScript(job: JobContext, machine: Provisioned, outcome: Outcome): Promise<Outcome> {
  // What ended the script is settled; only what comes now may end after_script.
  job.interruptions.settle();
  const limit = {
    ms: machine.afterScriptTimeoutMs,
    interruption: { kind: 'script_timeout', limitMs: machine.afterScriptTimeoutMs } as const,
  };
  const environment = { CI_JOB_STATUS: ciJobStatus(outcome) };
  const result = await runContainerStep(job, machine, 'after_script', environment, limit);
  if (result.kind !== 'failed') return { kind: 'success' };
  if (outcome.kind === 'success' && (isLost(result) || afterScriptCounts(job))) return result;
  job.trace.write(warningLine(`after_script failed, but job will continue unaffected: ${result.message}`));
  return { kind: 'success' };
}

/** What the script has made is gone with the machine. Jobs that an earlier release has begun go on as they began: with a warning. */
function isLost(result: Outcome): boolean {
  return (
    result.kind === 'failed' && result.reason === 'runner_system_failure' && patched('machine-lost-in-after-script')
  );
}

function afterScriptCounts({ spec }: JobContext): boolean {
  const value = spec.variables.findLast(({ key }) => key === 'AFTER_SCRIPT_IGNORE_ERRORS')?.value ?? '';
  // Go's words for it.
  return /^(?:false|f|0)$/i.test(value);
}

/** GitLab's job timeout and a job that the coordinator has given up end everything; a job of our own always gets its after_script. */
function afterScriptRuns(job: JobContext): boolean {
  const interruption = job.interruptions.current();
  if (interruption?.kind === 'cancel') return interruption.graceful;
  return !(interruption?.kind === 'job_timeout' && job.coordinator !== undefined);
}

function filesAreKept(job: JobContext, machine: Provisioned, outcome: Outcome): boolean {
  if (outcome.kind === 'failed' && outcome.reason === 'runner_system_failure') return false;
  return job.engineServed(machine) && afterScriptRuns(job);
}

async function keepFiles(job: JobContext, machine: Provisioned, planned: string[], outcome: Outcome): Promise<Outcome> {
  const jobSucceeded = outcome.kind === 'success';
  const ref = refOf(machine);
  let result: Outcome = { kind: 'success' };
  if (planned.includes('archive_cache')) {
    const name = jobSucceeded ? 'archive_cache' : 'archive_cache_on_failure';
    const saved = await runFilesStep(job, 'archive_cache', name, (step) =>
      machineActivities(job.taskQueue, machine, name).saveCache({ ...ref, step, jobSucceeded }),
    );
    result = worse(result, saved);
  }
  if (planned.includes('upload_artifacts')) {
    const name = jobSucceeded ? 'upload_artifacts_on_success' : 'upload_artifacts_on_failure';
    const sent = await runFilesStep(job, 'upload_artifacts', name, async (step) => {
      const uploaded = await machineActivities(job.taskQueue, machine, name).uploadArtifacts({
        ...ref,
        step,
        jobSucceeded,
      });
      job.journal.artifacts(uploaded.artifacts);
      return uploaded;
    });
    result = worse(result, sent);
  }
  return result;
}

/** A step whose script runs in a container; its output goes to the trace beside it. */
async function runContainerStep(
  job: JobContext,
  machine: Provisioned,
  step: string,
  environment: Record<string, string>,
  limit?: { ms: number; interruption: Interruption },
): Promise<Outcome> {
  const before = job.interruptions.current();
  if (before !== undefined) return outcomeOfInterruption(before);
  job.journal.stepStarted(step);
  const ref = refOf(machine);
  const scope = new CancellationScope({ cancellable: true });
  const work = scope.run(() =>
    stepActivities(job.taskQueue, machine, job.spec.timeoutMs, step).runStep({ ...ref, step, environment }),
  );
  job.trace.follow(ref, { name: step, title: stageTitle(step) });
  const interruption = await job.interruptions.guard(work, limit);
  const result = await endOfStep(job, machine, step, work, scope, interruption);
  const outcome = outcomeOfStep(result, interruption);
  job.journal.stepEnded(step, outcome.kind, factsOf(result));
  if (interruption?.kind === 'cancel') job.trace.write(warningLine('script canceled externally (UI, API)'));
  return outcome;
}

async function endOfStep(
  job: JobContext,
  machine: Provisioned,
  step: string,
  work: Promise<StepResult>,
  scope: CancellationScope,
  interruption: Interruption | undefined,
): Promise<StepResult> {
  try {
    if (interruption !== undefined) {
      await stopActivities(job.taskQueue, machine, `stop ${step}`).stopStep({
        ...refOf(machine),
        step,
        graceMs: STOP_GRACE_MS,
      });
    }
    return await work;
  } catch (error) {
    // Nobody serves the engine any more, or it cannot say what became of the step.
    scope.cancel();
    work.catch(() => undefined);
    job.markUnserved(machine);
    job.trace.abandon();
    const details = failureDetails(error);
    return details?.reason === 'runner_configuration_error'
      ? { kind: 'lost', reason: details.message, attempts: 0, mistake: true }
      : { kind: 'lost', reason: messageOf(error), attempts: 0 };
  }
}

/** A step made of files that the worker moves by itself; what it has to say goes to the trace as a section. */
async function runFilesStep(
  job: JobContext,
  step: string,
  section: string,
  run: (step: string) => Promise<FilesResult>,
): Promise<Outcome> {
  job.journal.stepStarted(step);
  try {
    const result = await run(step);
    job.trace.write(stageSection(section, result.startedAtMs, result.finishedAtMs, result.text));
    const outcome: Outcome = result.ok
      ? { kind: 'success' }
      : { kind: 'failed', reason: 'script_failure', exitCode: HELPER_EXIT_CODE, message: `${section} failed` };
    job.journal.stepEnded(step, outcome.kind, { ...result });
    return outcome;
  } catch (error) {
    const outcome = outcomeOfFailure(error, section);
    const now = Date.now();
    job.trace.write(stageSection(section, now, now, outcome.kind === 'failed' ? warningLine(outcome.message) : ''));
    job.journal.stepEnded(step, outcome.kind, {});
    return outcome;
  }
}

/** The machine goes when its log has been read to the end. Never in the way of the final status. */
async function releaseWhenRead(job: JobContext, machine: Provisioned): Promise<void> {
  await job.trace.drain();
  await job.held(machine);
  await releaseActivities(job.taskQueue, machine).releaseMachine(refOf(machine));
}

function refOf(machine: MachineRef): MachineRef {
  return {
    workflowId: machine.workflowId,
    attempt: machine.attempt,
    engine: machine.engine,
    machine: machine.machine,
  };
}

function factsOf(result: StepResult) {
  if (result.kind === 'lost') return { attempts: result.attempts };
  const times: Partial<StageTime> = {
    ...(result.startedAtMs === null ? {} : { startedAtMs: result.startedAtMs }),
    ...(result.finishedAtMs === null ? {} : { finishedAtMs: result.finishedAtMs }),
  };
  return {
    ...times,
    attempts: result.attempts,
    exitCode: result.kind === 'exited' ? result.exitCode : null,
    ...(result.kind === 'exited' ? { oomKilled: result.oomKilled } : {}),
  };
}
