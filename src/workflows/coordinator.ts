import type { ReportOutcome } from '../contracts/activities.js';
import type { Coordinator } from '../contracts/ci-job.js';
import { coordinatorActivities } from './activity-stubs.js';
import { messageOf } from './failure.js';
import type { Interruptions } from './interruptions.js';

/**
 * The conversation with the coordinator, one long activity beside the job: it sends the trace as it grows and ends with the
 * final status, which it finds in the store when `finishJob` has put it there.
 */
export async function reportToCoordinator(
  input: { workflowId: string; coordinator: Coordinator; timeoutMs: number },
  interruptions: Interruptions,
): Promise<ReportOutcome> {
  let cancelAcknowledged = false;
  for (;;) {
    const outcome = await converse({ ...input, cancelAcknowledged });
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
        interruptions.interrupt({ kind: 'cancel', graceful: true, message: 'canceled' });
    }
  }
}

async function converse(input: {
  workflowId: string;
  coordinator: Coordinator;
  timeoutMs: number;
  cancelAcknowledged: boolean;
}): Promise<ReportOutcome> {
  const { timeoutMs, ...request } = input;
  try {
    return await coordinatorActivities(timeoutMs, `report to ${input.coordinator.url}`).reportToCoordinator(request);
  } catch (error) {
    return { kind: 'undelivered', reason: messageOf(error) };
  }
}
