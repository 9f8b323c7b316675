import type { JobFlight } from '../../../src/client/life/job-flight.js';
import type { Figures } from '../faults/scenario.js';
import { exitCodeOf, faultOf } from './expectations.js';
import type { SoakJob } from './soak-job.js';

/** What only jobs of one kind promise. */
export async function brokenByKind({ planned, subject, handle, result }: SoakJob, figures: Figures): Promise<string[]> {
  const { remote } = subject;
  const broken: string[] = [];
  const say = (what: string, is: unknown, promised: unknown) => {
    if (is !== promised) broken.push(`${what} is ${String(is)}, promised is ${String(promised)}`);
  };
  const exitCode = exitCodeOf(planned);
  if (exitCode !== null) {
    say('exit code', result?.exitCode, exitCode);
    if (remote !== undefined) say('exit code at the coordinator', remote.final?.exitCode, exitCode);
  }
  if (planned.kind === 'artifacts') {
    say(
      'artifacts in the store',
      (await handle?.status())?.artifacts.filter(({ type }) => type === 'archive').length,
      1,
    );
    if (remote !== undefined)
      say('artifacts at the coordinator', remote.artifacts.filter(({ type }) => type === 'archive').length, 1);
  }
  if (planned.kind === 'retried')
    say('a run for each machine', runsOnMachines((await handle?.status())?.attempts ?? 0, figures.runs), true);
  if (remote !== undefined) say('hand-overs', remote.handedOver, 1);
  return broken;
}

/** The first one may be lost before the script begins on it. */
function runsOnMachines(machines: number, runs: number): boolean {
  return machines === runs || machines === runs + 1;
}

/** What `show` says of a job that is over, against its result and what the coordinator was told. */
export async function toldWrongly({ planned, subject: { remote }, handle, result }: SoakJob): Promise<string[]> {
  if (handle === undefined || result === undefined) return [];
  const told = await handle.flight();
  const wrong: string[] = [];
  const say = (what: string, is: unknown, promised: unknown) => {
    if (is !== promised) wrong.push(`show tells ${what} as ${String(is)}, it is ${String(promised)}`);
  };
  say('the state', told.state, result.state);
  say('the reason', told.failureReason, result.failureReason);
  say('the exit code', told.exitCode, result.exitCode);
  say('the bytes of trace', told.traceBytes, result.traceBytes);
  say('an end', told.finishedAt !== null, true);
  say('a hold', told.heldUntil, null);
  const fault = faultOf(planned);
  if (fault !== undefined) say('the fault', told.fault, fault);
  say('metrics that are still to come', told.metrics === 'pending', false);
  // The other way round is no lie: an answer may have been lost.
  if (remote !== undefined && told.metrics === 'uploaded')
    say(
      'metrics at the coordinator',
      true,
      remote.artifacts.some(({ type }) => type === 'metrics_referee'),
    );
  if (remote?.final !== undefined && remote.status !== 'canceled')
    say('the reason at the coordinator', remote.final.failureReason, result.failureReason ?? undefined);
  return [...wrong, ...unfinished(told)];
}

/** Steps and activities that are told as going on. */
function unfinished({ steps, life }: JobFlight): string[] {
  const told = [
    ...steps.map(({ name, state }) => ({ what: `the step ${name}`, state })),
    ...life.activities.map(({ activity, state }) => ({ what: activity, state })),
  ];
  return told
    .filter(({ state }) => ['running', 'waiting', 'pending'].includes(state))
    .map(({ what, state }) => `show tells ${what} of a job that is over as ${state}`);
}
