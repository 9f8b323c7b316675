import { CancellationScope } from '@temporalio/workflow';
import type { ReportOutcome } from '../contracts/activities.js';
import type { Coordinator } from '../contracts/ci-job.js';
import { coordinatorActivities } from './activity-stubs.js';
import { messageOf } from './failure.js';
import type { Interruptions } from './interruptions.js';

interface Conversation {
  workflowId: string;
  taskQueue: string;
  coordinator: Coordinator;
  timeoutMs: number;
}

/** What the coordinator is told of a job, beside it. */
export interface Report {
  /** Resolves when nothing more is told. */
  outcome: Promise<ReportOutcome>;
  /** Something that must come before the final status cannot be delivered, so that must not be either. */
  giveUp(reason: string): void;
}

/** @returns at once */
export function startReport(input: Conversation, interruptions: Interruptions): Report {
  const scope = new CancellationScope();
  let givenUp: string | undefined;
  return {
    outcome: scope
      .run(() => reportToCoordinator(input, interruptions))
      .then((outcome) => (givenUp === undefined ? outcome : { kind: 'undelivered', reason: givenUp })),
    giveUp(reason) {
      givenUp = reason;
      scope.cancel();
    },
  };
}

/**
 * The conversation with the coordinator, one long activity beside the job: it sends the trace as it grows and ends with the
 * final status, which it finds in the store when `finishJob` has put it there.
 */
async function reportToCoordinator(input: Conversation, interruptions: Interruptions): Promise<ReportOutcome> {
  let cancelAcknowledged = false;
  let offset = 0;
  for (;;) {
    const outcome = await converse(input, { cancelAcknowledged, offset });
    switch (outcome.kind) {
      case 'delivered':
      case 'undelivered':
        return outcome;
      case 'aborted':
        interruptions.interrupt({
          kind: 'cancel',
          graceful: false,
          message: `the coordinator ended the job (${outcome.coordinatorState ?? 'it no longer knows it'})`,
        });
        return outcome;
      case 'cancelRequested':
        cancelAcknowledged = true;
        offset = outcome.offset;
        interruptions.interrupt({ kind: 'cancel', graceful: true, message: 'canceled' });
    }
  }
}

async function converse(
  input: Conversation,
  from: { cancelAcknowledged: boolean; offset: number },
): Promise<ReportOutcome> {
  const { workflowId, coordinator } = input;
  const activities = coordinatorActivities(input.taskQueue, input.timeoutMs, `report to ${coordinator.url}`);
  try {
    return await activities.reportToCoordinator({ workflowId, coordinator, ...from });
  } catch (error) {
    return { kind: 'undelivered', reason: messageOf(error) };
  }
}
