import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { PendingActivity } from '../client/life/activities.js';
import { looking } from '../client/looking.js';
import { faultOf } from '../contracts/faults.js';
import { CI_JOB_WORKFLOW, REPLAY_METRICS_WORKFLOW } from '../contracts/names.js';
import { workerName } from '../contracts/worker-identity.js';
import type { Logger } from '../telemetry/logger.js';

/** For the whole look; whatever is left then is noticed by its heartbeats. */
const LOOK_MS = 10_000;
/** How many workflows are looked at together. */
const ABREAST = 8;
const QUERY = `WorkflowType IN ('${CI_JOB_WORKFLOW}', '${REPLAY_METRICS_WORKFLOW}') AND ExecutionStatus = 'Running'`;
/** Temporal's number for an activity that a worker has in hand and that nobody wants to be cancelled. */
const STARTED = 2;

export type HasEnded = (identity: string) => boolean;

export interface LostAttemptsDeps {
  client: Client;
  /** Whether the process of the worker with this identity is known to be over. */
  hasEnded: HasEnded;
  logger: Logger;
}

/**
 * Gives back what workers had in hand whose processes are over, as killed ones could not: Temporal gives it out again at once, and not
 * when the heartbeats have been missing for long enough (`HEARTBEAT` of `workflows/activity-stubs.ts`). Whoever goes on finds what
 * any next attempt finds (law 1 of the design), so a wrong answer would do no harm but to be told as a lost worker.
 * Never throws, since heartbeats find the same.
 */
export async function giveBackLostAttempts({ client, hasEnded, logger }: LostAttemptsDeps): Promise<void> {
  async function lookAt(workflowId: string, runId: string): Promise<void> {
    const { raw } = await looking(client).workflow.getHandle(workflowId, runId).describe();
    for (const { activityId, worker } of lostAttempts(raw.pendingActivities ?? [], hasEnded)) {
      await client.activity.fail({ workflowId, runId, activityId }, workerLost());
      logger.info({ workflowId, activityId, worker: workerName(worker) }, GIVEN_BACK);
    }
  }

  try {
    await client.withDeadline(Date.now() + LOOK_MS, async () => {
      let looks: Promise<void>[] = [];
      for await (const { workflowId, runId } of looking(client).workflow.list({ query: QUERY })) {
        looks.push(lookAt(workflowId, runId).catch((error: unknown) => passed(workflowId, error)));
        if (looks.length >= ABREAST) looks = await Promise.all(looks).then(() => []);
      }
      await Promise.all(looks);
    });
  } catch (error) {
    logger.warn({ error: String(error) }, 'Not all that a worker had in hand when it was killed was given back');
  }

  /** It may have ended by itself in this very moment, as may the whole workflow. */
  function passed(workflowId: string, error: unknown): void {
    logger.debug({ workflowId, error: String(error) }, 'What a lost worker had in hand was not given back');
  }
}

/**
 * Those that a worker had in hand whose process is over. Not those that are to be cancelled: they are not given out again, so their
 * workflow would see the failure, and they are left to their heartbeats.
 */
export function lostAttempts(
  pending: readonly PendingActivity[],
  hasEnded: HasEnded,
): { activityId: string; worker: string }[] {
  return pending.flatMap(({ activityId, state, lastWorkerIdentity: worker }) =>
    Number(state) === STARTED && activityId != null && worker != null && hasEnded(worker)
      ? [{ activityId, worker }]
      : [],
  );
}

/** Logged for each. */
export const GIVEN_BACK = 'A worker that had this in hand was killed: it is given to the next one';

/** As a missing heartbeat is told. */
function workerLost(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'WORKER_LOST',
    message: faultOf('WORKER_LOST').meaning,
    nonRetryable: false,
    nextRetryDelay: '100ms',
  });
}
