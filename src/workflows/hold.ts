import { condition, defineSignal, patched, setHandler } from '@temporalio/workflow';
import type { Provisioned } from '../contracts/activities.js';
import type { JobSpec } from '../contracts/job-spec.js';
import { RELEASE_SIGNAL } from '../contracts/names.js';
import { parseDuration } from '../job/durations.js';
import { HOLD_VARIABLE, MAX_HOLD_MS } from '../job/hold-on-failure.js';
import type { Outcome } from './outcome.js';

const releaseSignal = defineSignal(RELEASE_SIGNAL);

/** Hold for debugging: after a failure the machine stays until it is released or its time is over. */
export interface Hold {
  /** How an attempt ended. Only the last machine of a job is ever held: the others would keep slots from their successors. */
  attemptEnded(attempt: number, verdict: { again: boolean; outcome: Outcome }): void;
  /** Resolves when nobody holds the machine (any more). */
  wait(machine: Provisioned): Promise<void>;
}

/**
 * @param holdMsOf how long that machine is to be held; 0: not at all
 * @param onHold tells since when and how long a machine is held; `undefined`: it is not any more
 */
export function createHold(
  holdMsOf: (machine: Provisioned) => number,
  onHold: (hold: { untilMs: number } | undefined) => void,
): Hold {
  const verdicts = new Map<number, { again: boolean; outcome: Outcome }>();
  let released = false;
  setHandler(releaseSignal, () => {
    released = true;
  });
  return {
    attemptEnded(attempt, verdict) {
      verdicts.set(attempt, verdict);
    },
    async wait(machine) {
      const { attempt } = machine;
      const holdMs = holdMsOf(machine);
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

/** What the starter asked for, or else the job's variable. @returns milliseconds; 0 when the machine is not to be held */
export function holdOnFailureMs(
  given: number | undefined,
  spec: JobSpec,
  { holdOnFailureMs: planned }: Provisioned,
): number {
  if (given !== undefined) return atMostLongest(given);
  const unexpanded = atMostLongest(unexpandedMs(spec));
  // Also where a worker of this version made the machine of a workflow of an earlier one, the variable went as it is written.
  return planned !== undefined && planned !== unexpanded && patched('hold-as-planned') ? planned : unexpanded;
}

function atMostLongest(ms: number): number {
  return Math.min(Math.max(0, ms), MAX_HOLD_MS);
}

/** The variable as it is written: so jobs went whose machine an older worker has made, and so they go on. */
function unexpandedMs(spec: JobSpec): number {
  const variable = spec.variables.findLast(({ key }) => key === HOLD_VARIABLE)?.value;
  return variable === undefined ? 0 : (parseDuration(variable) ?? 0);
}
