import { ActivityFailure, ApplicationFailure, CancellationScope, TimeoutFailure } from '@temporalio/workflow';
import type { Provisioned, StageTime, StepResult } from '../contracts/activities.js';
import { stageTitle, warningLine } from '../trace/format.js';
import { stepActivities, stopActivities } from './activity-stubs.js';
import { failureDetails, messageOf } from './failure.js';
import type { Limit } from './interruptions.js';
import type { JobContext } from './job-context.js';
import { refOf } from './machine-ref.js';
import {
  machineLost,
  outcomeOfInterruption,
  outcomeOfStep,
  runsAgain,
  type Interruption,
  type Outcome,
} from './outcome.js';

/** Between SIGTERM and SIGKILL. */
const STOP_GRACE_MS = 10_000;

/**
 * Where a job may run again on another machine, one that nobody can say anything of counts as lost after these times. Its script may still
 * run, and goes on where it is when somebody comes in time, so they are longer than an engine and its network, or workers and Temporal
 * together, are away in any ordinary trouble (Kubernetes gives a silent node the same five minutes). Of any other job the step is waited
 * for as long as it has time.
 */
const UNREACHABLE_MS = 5 * 60_000;
const UNSERVED_MS = 15 * 60_000;

/** A step whose script runs in a container; its output goes to the trace beside it. */
export async function runContainerStep(
  job: JobContext,
  machine: Provisioned,
  step: string,
  environment: Record<string, string>,
  limit?: Limit,
): Promise<Outcome> {
  const before = job.interruptions.current();
  if (before !== undefined) return outcomeOfInterruption(before);
  job.journal.stepStarted(step);
  const ref = refOf(machine);
  const scope = new CancellationScope({ cancellable: true });
  const mayRunAgain = runsAgain(job.spec, machineLost(''), machine.attempt);
  const times = { budgetMs: job.spec.timeoutMs, ...(mayRunAgain ? { unservedMs: UNSERVED_MS } : {}) };
  const patience = mayRunAgain ? { patienceMs: UNREACHABLE_MS } : {};
  const work = scope.run(() =>
    stepActivities(job.taskQueue, machine, times, step).runStep({ ...ref, step, environment, ...patience }),
  );
  job.trace.follow(ref, { name: step, title: stageTitle(step) });
  const interruption = await job.interruptions.guard(work, limit === undefined ? {} : { limit });
  const result = await endOfStep(job, machine, step, work, scope, interruption);
  const outcome = outcomeOfStep(result, interruption);
  job.journal.stepEnded(step, outcome.kind, factsOf(result));
  // Before the script there is none to be canceled: gitlab-protocol section 3.4.
  if (interruption?.kind === 'cancel' && step !== 'get_sources') {
    job.trace.write(warningLine('script canceled externally (UI, API)'));
  }
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
    if (isOutOfReach(error)) job.markOutOfReach(machine);
    job.trace.abandon();
    const details = failureDetails(error);
    return details?.reason === 'runner_configuration_error'
      ? { kind: 'lost', reason: details.message, attempts: 0, mistake: true }
      : { kind: 'lost', reason: details?.message ?? wordsOf(error), attempts: 0 };
  }
}

/** Our patience is over; it would begin anew with whatever else is asked of the machine. */
function isOutOfReach(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof TimeoutFailure) return cause.timeoutType === 'SCHEDULE_TO_START';
  return cause instanceof ApplicationFailure && cause.type === 'ENGINE_UNREACHABLE';
}

function wordsOf(error: unknown): string {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof TimeoutFailure ? 'no worker could say what became of it' : messageOf(error);
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
