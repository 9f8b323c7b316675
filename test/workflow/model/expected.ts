import {
  eventsAt,
  type FilesEnd,
  type JobHistory,
  type MachinePlan,
  type Point,
  type StepPlan,
} from './job-history.js';

export interface Verdict {
  state: 'success' | 'failed' | 'canceled';
  failureReason: string | null;
  exitCode: number | null;
}

/** What must have happened in the end; how the metrics fare has no part in it. */
export interface Expected extends Verdict {
  allowedToFail: boolean;
  /** `<attempt> <what>`, in order: everything that is done for the job, save trace, metrics and release. */
  calls: string[];
  /** Machines that must have been released, once each. */
  machines: number[];
  /** Attempt whose machine's metrics are the job's; undefined: no machine ever ran anything. */
  measured: number | undefined;
  /** The last machine is kept for debugging. */
  held: boolean;
  /** The final status that the coordinator hears; undefined: none. */
  told: Verdict['state'] | undefined;
  /** The workflow itself ends as canceled. */
  canceled: boolean;
}

type Ending = 'job limit' | 'cancel' | 'abort';
const RANK: Record<Ending, number> = { 'job limit': 1, cancel: 2, abort: 3 };

const SUCCESS: Verdict = { state: 'success', failureReason: null, exitCode: null };
const CANCELED: Verdict = { state: 'canceled', failureReason: 'job_canceled', exitCode: null };
const failed = (failureReason: string, exitCode: number | null = null): Verdict => ({
  state: 'failed',
  failureReason,
  exitCode,
});
const TIMED_OUT = failed('job_execution_timeout');
const LOST = failed('runner_system_failure');

/** The rules of docs/operations.md and of the issues, said once more and without Temporal: one path through one history. */
export function expectedOf(history: JobHistory): Expected {
  const calls: string[] = [];
  const machines: number[] = [];
  let ending: Ending | undefined;
  let everCanceled = false;
  let workflowCanceled = false;
  let released = false;
  let talking = history.coordinator && history.report === 'ok';
  let artifacts = false;
  let measured: number | undefined;

  function raise(kind: Ending): void {
    if (kind !== 'job limit') everCanceled = true;
    if (ending === undefined || RANK[kind] > RANK[ending]) ending = kind;
  }

  function arrive(attempt: number, at: Point): void {
    for (const { kind } of eventsAt(history, attempt, at)) {
      if (kind === 'release') released = true;
      if (kind === 'cancel' && !workflowCanceled) {
        workflowCanceled = true;
        raise('cancel');
      }
      if (kind === 'coordinator cancels' && talking) raise('cancel');
      if (kind === 'coordinator aborts' && talking) {
        talking = false;
        raise('abort');
      }
    }
  }

  const verdictOf = (kind: Ending): Verdict => (kind === 'job limit' ? TIMED_OUT : CANCELED);
  /** A function, so that what happened meanwhile counts. */
  const now = (): Ending | undefined => ending;
  const endedForGood = () => now() === 'abort' || (now() === 'job limit' && history.coordinator);

  function runMachine(attempt: number, plan: MachinePlan): Verdict {
    let served = true;

    function runStep(
      name: 'get_sources' | 'step_script' | 'step_release' | 'after_script',
      { end, onStop }: StepPlan,
    ): Verdict {
      const before = now();
      if (before !== undefined) return verdictOf(before);
      calls.push(`${String(attempt)} ${name}`);
      arrive(attempt, name);
      let stoppedFor = now() === undefined ? undefined : verdictOf(now() ?? 'cancel');
      if (stoppedFor === undefined && end === 'longer than the job') {
        raise('job limit');
        stoppedFor = TIMED_OUT;
      }
      if (stoppedFor === undefined && end === 'longer than its limit') stoppedFor = TIMED_OUT;
      if (stoppedFor !== undefined) {
        calls.push(`${String(attempt)} stop ${name}`);
        arrive(attempt, `stop ${name}`);
        if (onStop === 'broken') served = false;
        return onStop === 'exit 0' ? SUCCESS : stoppedFor;
      }
      if (end === 'broken') served = false;
      if (end === 'broken' || end === 'machine lost') return LOST;
      if (end === 'exit 1' || end === 'exit 3') return failed('script_failure', end === 'exit 1' ? 1 : 3);
      return SUCCESS;
    }

    function moveFiles(name: 'restore_cache' | 'fetch' | 'download_artifacts' | 'archive_cache' | 'upload_artifacts') {
      calls.push(`${String(attempt)} ${name}`);
      arrive(attempt, name);
      return verdictOfFiles(plan[name]);
    }

    function prepare(): Verdict {
      let verdict = history.sources ? runStep('get_sources', plan.get_sources) : SUCCESS;
      if (verdict === SUCCESS && history.cache) verdict = moveFiles('restore_cache');
      if (verdict === SUCCESS && history.dependencies) {
        // What is fetched from the coordinator is given up at once when the job is ended.
        if (now() !== undefined) return verdictOf(now() ?? 'cancel');
        verdict = moveFiles('fetch');
        if (now() !== undefined) return verdictOf(now() ?? 'cancel');
        if (verdict === SUCCESS) verdict = moveFiles('download_artifacts');
      }
      return verdict;
    }

    calls.push(`${String(attempt)} provision`);
    arrive(attempt, 'provision');
    const canceledMeanwhile = now() !== undefined;
    if (plan.provision === 'no image') {
      // Only a delivery that does not hear of the cancel comes to know that there is no image.
      return canceledMeanwhile ? CANCELED : failed('image_pull_failure');
    }
    if (plan.provision === 'broken') return canceledMeanwhile ? CANCELED : LOST;
    if (canceledMeanwhile) {
      if (plan.provision === 'ready anyway') machines.push(attempt);
      return CANCELED;
    }
    machines.push(attempt);
    measured = attempt;

    const prepared = prepare();
    let verdict = prepared;
    if (verdict === SUCCESS) verdict = runStep('step_script', plan.step_script);
    if (verdict === SUCCESS && history.secondStep) verdict = runStep('step_release', plan.step_release);
    if (prepared === SUCCESS && history.afterScript && !endedForGood()) {
      ending = undefined;
      runStep('after_script', plan.after_script);
    }
    const files = history.cache || history.artifacts;
    if (endedForGood()) return verdict === SUCCESS ? verdictOf(now() ?? 'cancel') : verdict;
    if (verdict.failureReason === 'runner_system_failure') return verdict;
    if (!served) return verdict === SUCCESS && files ? LOST : verdict;
    if (history.cache) verdict = worse(verdict, moveFiles('archive_cache'));
    if (history.artifacts) {
      verdict = worse(verdict, moveFiles('upload_artifacts'));
      if (plan.upload_artifacts === 'ok' || plan.upload_artifacts === 'retried') artifacts = true;
      if (plan.upload_artifacts === 'not ok') artifacts = false;
    }
    return verdict;
  }

  let attempt = 1;
  let verdict: Verdict;
  for (; ; attempt++) {
    const plan = history.machines[attempt - 1];
    if (plan === undefined) throw new Error('A job has at most three machines');
    verdict = runMachine(attempt, plan);
    if (!runsAgain(history, verdict, attempt)) break;
    if (everCanceled) {
      verdict = CANCELED;
      break;
    }
    ending = undefined;
  }
  const mayHold = verdict.state === 'failed' && history.hold !== 'no' && machines.includes(attempt);

  if (talking && artifacts) {
    calls.push(`${String(attempt)} deliver`);
    arrive(attempt, 'deliver');
    if (talking) {
      if (history.delivery === 'gave up') talking = false;
      if (history.delivery === 'refused' || history.delivery === 'broken') {
        verdict = worse(verdict, failed('script_failure'));
      }
    }
  }
  calls.push(`${String(attempt)} finish`);
  arrive(attempt, 'finish');
  const exitCode = verdict.state === 'success' ? 0 : verdict.exitCode;
  return {
    ...verdict,
    exitCode,
    allowedToFail:
      verdict.state === 'failed' &&
      (history.allowFailure === 'yes' || (history.allowFailure === 'exit code 3' && exitCode === 3)),
    calls,
    machines,
    measured,
    held: mayHold && !released,
    told: talking ? verdict.state : undefined,
    canceled: verdict.state === 'canceled' && workflowCanceled,
  };
}

function verdictOfFiles(end: FilesEnd): Verdict {
  if (end === 'not ok') return failed('script_failure');
  return end === 'broken' ? LOST : SUCCESS;
}

function worse(first: Verdict, later: Verdict): Verdict {
  return first === SUCCESS ? later : first;
}

function runsAgain({ retry, interruptible }: JobHistory, verdict: Verdict, attempt: number): boolean {
  if (verdict.state !== 'failed') return false;
  if (interruptible && verdict.failureReason === 'runner_system_failure' && attempt < 3) return true;
  if (attempt > retry.max) return false;
  return (
    retry.when.length === 0 ||
    retry.when.includes('always') ||
    retry.when.some((reason) => reason === verdict.failureReason)
  );
}
