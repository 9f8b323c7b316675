import { CancellationScope, isCancellation, patched, workflowInfo } from '@temporalio/workflow';
import type { Provisioned } from '../contracts/activities.js';
import type { FailureReason } from '../contracts/names.js';
import { warningLine } from '../trace/format.js';
import { provisionActivities, releaseActivities } from './activity-stubs.js';
import { runContainerStep } from './container-step.js';
import { failureDetails, outcomeOfFailure } from './failure.js';
import { ENDS_WITH_THE_JOB, keepFiles, prepareFiles } from './files-steps.js';
import type { JobContext } from './job-context.js';
import { refOf } from './machine-ref.js';
import { ciJobStatus, machineLost, outcomeOfInterruption, worse, type Interruption, type Outcome } from './outcome.js';

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
      firstRunId: workflowInfo().firstExecutionRunId,
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
  const isPrepared = prepared.kind === 'success';
  const scriptBegins = isPrepared && job.interruptions.current() === undefined;
  let outcome = isPrepared ? await runMainSteps(job, machine, planned) : prepared;
  const scriptEndedAtMs = Date.now();
  const endsAll = (interruption: Interruption) => !scriptBegins || endsWholeJob(job, interruption);
  const ending = () => {
    const interruption = job.interruptions.current(endsAll);
    if (interruption === undefined || endsWholeJob(job, interruption)) return interruption;
    return patched(ENDS_WITH_THE_JOB) ? interruption : undefined;
  };

  job.startMetrics(machine, scriptEndedAtMs, outcome);
  job.journal.finishing();
  if (isPrepared && planned.includes('after_script') && ending() === undefined && !job.isOutOfReach(machine)) {
    outcome = worse(outcome, await runAfterScript(job, machine, outcome));
  }
  outcome = worse(outcome, whatKeepsFilesAway(job, machine, planned, ending()));
  if (!filesAreKept(job, machine, outcome, ending())) return outcome;
  // What has ended the script is settled: only what comes now, and ends everything, keeps its files away.
  job.interruptions.settle();
  return worse(outcome, await keepFiles(job, machine, planned, { outcome, endsAll }));
}

/**
 * What ends before its script ends as a whole anyway: there is nothing to clean up and nothing to keep (gitlab-protocol section 3.4).
 * Later GitLab's job timeout does it, and a coordinator that has given the job up; a job of our own always gets its after_script.
 */
function endsWholeJob({ coordinator }: JobContext, interruption: Interruption): boolean {
  if (interruption.kind === 'cancel') return !interruption.graceful;
  return interruption.kind === 'job_timeout' && coordinator !== undefined;
}

/** A job whose files could not be kept is no success, even if its script was one. */
function whatKeepsFilesAway(
  job: JobContext,
  machine: Provisioned,
  planned: string[],
  ending: Interruption | undefined,
): Outcome {
  if (ending !== undefined) return outcomeOfInterruption(ending);
  const hasFiles = planned.includes('archive_cache') || planned.includes('upload_artifacts');
  if (hasFiles && !job.engineServed(machine)) return machineLost('after its script nobody could reach it any more');
  return { kind: 'success' };
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
  // The job's end tells of the machine that took both; that "the job continues" would be wrong.
  if (isSystemFailure(outcome) && isSystemFailure(result)) return { kind: 'success' };
  job.trace.write(warningLine(`after_script failed, but job will continue unaffected: ${result.message}`));
  return { kind: 'success' };
}

/** What the script has made is gone with the machine. Jobs that an earlier release has begun go on as they began: with a warning. */
function isLost(result: Outcome): boolean {
  return isSystemFailure(result) && patched('machine-lost-in-after-script');
}

function isSystemFailure(outcome: Outcome): boolean {
  return outcome.kind === 'failed' && outcome.reason === 'runner_system_failure';
}

function afterScriptCounts({ spec }: JobContext): boolean {
  const value = spec.variables.findLast(({ key }) => key === 'AFTER_SCRIPT_IGNORE_ERRORS')?.value ?? '';
  // Go's words for it.
  return /^(?:false|f|0)$/i.test(value);
}

function filesAreKept(
  job: JobContext,
  machine: Provisioned,
  outcome: Outcome,
  ending: Interruption | undefined,
): boolean {
  if (isSystemFailure(outcome)) return false;
  return job.engineServed(machine) && ending === undefined;
}

/** The machine goes when its log has been read to the end. Never in the way of the final status. */
async function releaseWhenRead(job: JobContext, machine: Provisioned): Promise<void> {
  await job.trace.drain();
  await job.held(machine);
  await releaseActivities(job.taskQueue, machine).releaseMachine(refOf(machine));
}
