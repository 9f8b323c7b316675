import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { FailureDetails } from '../contracts/activities.js';
import { MachineError } from '../machines/engine.js';

/** An attempt that has gone on for longer has heard of the engine: no question to it takes so long. */
const ANSWERED_MS = 60_000;

/**
 * For how long an engine is out of reach, over the attempts at an activity, each of which fails at once: kept with the heartbeats, since
 * the next one may be another worker's.
 */
export interface Reach {
  /** With each heartbeat. */
  details(): unknown;
  /** @returns what the attempt fails with: the last one, when the patience is over */
  failureOf(error: unknown): unknown;
}

/** @param patienceMs absent: as long as the activity has time */
export function createReach(
  patienceMs: number | undefined,
  { now = Date.now, steadyNow = () => performance.now() }: { now?: () => number; steadyNow?: () => number } = {},
): Reach {
  const context = Context.current();
  const before = sinceOf(context.info.heartbeatDetails);
  const begunAtMs = steadyNow();

  function known(): number | undefined {
    return steadyNow() - begunAtMs > ANSWERED_MS ? undefined : before;
  }

  return {
    details: () => ({ unreachableSinceMs: known() }),
    failureOf(error) {
      if (!(error instanceof MachineError) || error.code !== 'ENGINE_UNREACHABLE') return error;
      const unreachableSinceMs = known() ?? now();
      context.heartbeat({ unreachableSinceMs });
      const ms = now() - unreachableSinceMs;
      return patienceMs === undefined || ms <= patienceMs ? error : outOfReach(ms, error);
    },
  };
}

function sinceOf(details: unknown): number | undefined {
  if (typeof details !== 'object' || details === null || !('unreachableSinceMs' in details)) return undefined;
  return typeof details.unreachableSinceMs === 'number' ? details.unreachableSinceMs : undefined;
}

function outOfReach(ms: number, cause: MachineError): ApplicationFailure {
  const details: FailureDetails = {
    reason: 'runner_system_failure',
    message: `its engine could not be reached for ${String(Math.round(ms / 1000))} s`,
  };
  return ApplicationFailure.create({
    type: cause.code,
    message: 'The engine cannot be reached',
    nonRetryable: true,
    details: [details],
    cause,
  });
}
