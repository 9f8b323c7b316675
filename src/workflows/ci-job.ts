import {
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  log,
  setHandler,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { CiJobInput, CiJobResult, JobStatus } from '../contracts/ci-job.js';
import { PREPARING_SIGNAL, RESULT_UPDATE, STATUS_QUERY } from '../contracts/names.js';
import { warningLine } from '../trace/format.js';
import { acceptJob } from './accept.js';
import { runAttempt } from './attempt.js';
import { startReport } from './coordinator.js';
import { deliverArtifacts } from './deliver.js';
import { finishJob } from './finish.js';
import { createHold, holdOnFailureMs, type Hold } from './hold.js';
import { watchInterruptions } from './interruptions.js';
import type { JobContext } from './job-context.js';
import { openJournal } from './journal.js';
import { createMetricsCollection } from './metrics.js';
import { outcomeOfInterruption, runsAgain, type Outcome } from './outcome.js';
import { createTraceChain } from './trace-chain.js';

const preparingSignal = defineSignal(PREPARING_SIGNAL);
const statusQuery = defineQuery<JobStatus>(STATUS_QUERY);
const resultUpdate = defineUpdate<CiJobResult>(RESULT_UPDATE);

/** A CI job, from its machine to its metrics. */
export async function ciJob(input: CiJobInput): Promise<CiJobResult> {
  const { spec, coordinator, steps } = acceptJob(input);
  const { workflowId, taskQueue, startTime } = workflowInfo();
  const journal = openJournal(
    spec,
    steps.map((step) => step.name),
  );
  const background: Promise<unknown>[] = [];
  const unserved = new Set<string>();
  const outOfReach = new Set<string>();
  const interruptions = watchInterruptions();
  const metrics = createMetricsCollection(() => job);
  const hold = createHold(
    (machine) => holdOnFailureMs(input.holdOnFailureMs, spec, machine),
    (held) => journal.held(held?.untilMs),
  );
  const job: JobContext = {
    workflowId,
    taskQueue,
    spec,
    ...(coordinator === undefined ? {} : { coordinator }),
    steps,
    queuedAtMs: startTime.getTime(),
    journal,
    trace: createTraceChain(taskQueue),
    interruptions,
    nonce: () => uuid4(),
    background: (work) =>
      background.push(work.catch((error: unknown) => log.error('Background work failed', { error }))),
    startMetrics: (machine, endedAtMs, outcome) => metrics.start(machine, endedAtMs, outcome),
    held: (machine) => hold.wait(machine),
    markUnserved: (machine) => unserved.add(machine.machine),
    engineServed: (machine) => !unserved.has(machine.machine),
    markOutOfReach: (machine) => outOfReach.add(machine.machine),
    isOutOfReach: (machine) => outOfReach.has(machine.machine),
  };
  setHandler(statusQuery, () => journal.status);
  setHandler(preparingSignal, () => journal.machineFound());
  setHandler(resultUpdate, () => CancellationScope.nonCancellable(() => decision(job)));

  const { canceled, result } = await CancellationScope.nonCancellable(async () => {
    const report =
      coordinator === undefined
        ? undefined
        : startReport({ workflowId, taskQueue, coordinator, timeoutMs: spec.timeoutMs }, interruptions);
    void report?.outcome.then(() => metrics.coordinatorGone());
    const outcome = await runAttempts(job, hold);
    const [delivered] = await Promise.all([deliverArtifacts(job, outcome, report), metrics.waitGrace()]);
    const decided = await finishJob(job, delivered, report);
    await settle(background);
    await condition(allHandlersFinished);
    return {
      // A cancel that came too late for the job does not make its workflow a canceled one.
      canceled: decided.kind === 'canceled' && CancellationScope.current().parent?.consideredCancelled === true,
      result: await decision(job),
    };
  });
  if (canceled) throw new CancelledFailure('The job was canceled');
  return result;
}

async function runAttempts(job: JobContext, hold: Hold): Promise<Outcome> {
  for (let attempt = 1; ; attempt++) {
    const ended = await runAttempt(job, attempt);
    const wouldRunAgain = runsAgain(job.spec, ended, attempt);
    const canceled = job.interruptions.canceled();
    // Somebody who cancels a job does not want it on another machine, even if something else had ended it just before.
    const outcome = wouldRunAgain && canceled !== undefined ? outcomeOfInterruption(canceled) : ended;
    const again = wouldRunAgain && canceled === undefined;
    hold.attemptEnded(attempt, { again, outcome });
    if (outcome.kind !== 'failed' || !again) return outcome;
    job.trace.write(
      warningLine(`${outcome.message}. Running the job again on another machine (attempt ${String(attempt + 1)}).`),
    );
    await job.trace.drain();
  }
}

async function decision(job: JobContext): Promise<CiJobResult> {
  await condition(() => job.journal.result() !== undefined);
  const result = job.journal.result();
  if (result === undefined) throw new CancelledFailure('The job has no result');
  return result;
}

/** Background work may start more of it. */
async function settle(background: Promise<unknown>[]): Promise<void> {
  for (let settled = 0; settled < background.length; settled++) await background[settled];
}
