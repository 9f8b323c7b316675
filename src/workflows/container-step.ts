import { CancellationScope } from '@temporalio/workflow';
import type { Provisioned, StageTime, StepResult } from '../contracts/activities.js';
import { stageTitle, warningLine } from '../trace/format.js';
import { stepActivities, stopActivities } from './activity-stubs.js';
import { failureDetails, messageOf } from './failure.js';
import type { Limit } from './interruptions.js';
import type { JobContext } from './job-context.js';
import { refOf } from './machine-ref.js';
import { outcomeOfInterruption, outcomeOfStep, type Interruption, type Outcome } from './outcome.js';

/** Between SIGTERM and SIGKILL. */
const STOP_GRACE_MS = 10_000;

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
  const work = scope.run(() =>
    stepActivities(job.taskQueue, machine, job.spec.timeoutMs, step).runStep({ ...ref, step, environment }),
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
    job.trace.abandon();
    const details = failureDetails(error);
    return details?.reason === 'runner_configuration_error'
      ? { kind: 'lost', reason: details.message, attempts: 0, mistake: true }
      : { kind: 'lost', reason: messageOf(error), attempts: 0 };
  }
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
