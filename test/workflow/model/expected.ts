import { ExpectedCourse } from './expected-course.js';
import { ExpectedMachine } from './expected-machine.js';
import type { JobHistory } from './job-history.js';
import { CANCELED, failed, worse, type Verdict } from './verdict.js';

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

/** The rules of docs/operations.md and of the issues, said once more and without Temporal: one path through one history. */
export function expectedOf(history: JobHistory): Expected {
  const course = new ExpectedCourse(history);
  const ran = runUntilSettled(course);
  const mayHold = ran.verdict.state === 'failed' && history.hold !== 'no' && course.machines.includes(ran.attempt);
  const verdict = deliver(course, ran);
  course.call(ran.attempt, 'finish');
  const exitCode = verdict.state === 'success' ? 0 : verdict.exitCode;
  return {
    ...verdict,
    exitCode,
    allowedToFail: verdict.state === 'failed' && isAllowed(history, exitCode),
    calls: course.calls,
    machines: course.machines,
    measured: course.measured,
    held: mayHold && !course.released,
    told: course.talking ? verdict.state : undefined,
    canceled: verdict.state === 'canceled' && course.workflowCanceled,
  };
}

/** One machine after another, until one has settled the job. */
function runUntilSettled(course: ExpectedCourse): { verdict: Verdict; attempt: number } {
  const { history } = course;
  for (let attempt = 1; ; attempt++) {
    const plan = history.machines[attempt - 1];
    if (plan === undefined) throw new Error('A job has at most three machines');
    const verdict = new ExpectedMachine(course, attempt, plan).run();
    if (!runsAgain(history, verdict, attempt)) return { verdict, attempt };
    if (course.everCanceled) return { verdict: CANCELED, attempt };
    course.ending = undefined;
  }
}

function deliver(course: ExpectedCourse, { verdict, attempt }: { verdict: Verdict; attempt: number }): Verdict {
  if (!course.talking || !course.artifacts) return verdict;
  const { delivery } = course.history;
  course.call(attempt, 'deliver');
  // Who has given the job up meanwhile is not told what became of its files.
  if (!course.talking) return verdict;
  if (delivery === 'gave up') course.talking = false;
  return delivery === 'refused' || delivery === 'broken' ? worse(verdict, failed('script_failure', 1)) : verdict;
}

function isAllowed({ allowFailure }: JobHistory, exitCode: number | null): boolean {
  return allowFailure === 'yes' || (allowFailure === 'exit code 3' && exitCode === 3);
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
