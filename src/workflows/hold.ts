import { condition, defineSignal, setHandler } from '@temporalio/workflow';
import type { Provisioned } from '../contracts/activities.js';
import type { JobSpec } from '../contracts/job-spec.js';
import { RELEASE_SIGNAL } from '../contracts/names.js';
import { parseDuration } from '../job/durations.js';
import type { Outcome } from './outcome.js';

const releaseSignal = defineSignal(RELEASE_SIGNAL);

/** A variable of the job that holds its machine as `holdfast run --hold-on-failure` does; any time that GitLab understands. */
const HOLD_VARIABLE = 'HOLDFAST_HOLD_ON_FAILURE';
/** A held machine is one that no other job gets: forgotten holds must end. */
const MAX_HOLD_MS = 24 * 60 * 60_000;

/** Hold for debugging: after a failure the machine stays until it is released or its time is over. */
export interface Hold {
  /** How an attempt ended. Only the last machine of a job is ever held: the others would keep slots from their successors. */
  attemptEnded(attempt: number, verdict: { again: boolean; outcome: Outcome }): void;
  /** Resolves when nobody holds the machine (any more). */
  wait(machine: Provisioned): Promise<void>;
}

/**
 * @param holdMs 0: never held
 * @param onHold tells since when and how long a machine is held; `undefined`: it is not any more
 */
export function createHold(holdMs: number, onHold: (hold: { untilMs: number } | undefined) => void): Hold {
  const verdicts = new Map<number, { again: boolean; outcome: Outcome }>();
  let released = false;
  setHandler(releaseSignal, () => {
    released = true;
  });
  return {
    attemptEnded(attempt, verdict) {
      verdicts.set(attempt, verdict);
    },
    async wait({ attempt }) {
      if (holdMs === 0) return;
      await condition(() => released || verdicts.has(attempt));
      const verdict = verdicts.get(attempt);
      if (released || verdict?.again !== false || verdict.outcome.kind !== 'failed') return;
      onHold({ untilMs: Date.now() + holdMs });
      await condition(() => released, holdMs, { summary: 'hold for debugging' });
      onHold(undefined);
    },
  };
}

/** What the starter asked for, or else the job's variable. @returns milliseconds; 0 when the job is not to be held */
export function holdOnFailureMs(given: number | undefined, spec: JobSpec): number {
  const variable = spec.variables.findLast(({ key }) => key === HOLD_VARIABLE)?.value;
  const wanted = given ?? (variable === undefined ? 0 : (parseDuration(variable) ?? 0));
  return Math.min(Math.max(0, wanted), MAX_HOLD_MS);
}
