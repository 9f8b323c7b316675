import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { ReportOutcome } from '../../../src/contracts/activities.js';
import type { FinalJobState } from '../../../src/contracts/names.js';
import { until } from '../../support/processes.js';

/** The coordinator's side of a job: one conversation at a time, which says something of itself or ends with the final status. */
export interface FakeCoordinator {
  report(): Promise<ReportOutcome>;
  /** It has the final status now. */
  stored(state: FinalJobState): void;
  /** @returns the id of the activity that brings the news; undefined: nobody listens any more */
  say(outcome: ReportOutcome): Promise<string | undefined>;
  /** A conversation is going on. */
  untilHeard(): Promise<void>;
  /** Final states that it was told. */
  readonly told: FinalJobState[];
}

export function createFakeCoordinator(): FakeCoordinator {
  const told: FinalJobState[] = [];
  let conversation: { id: string; end: (outcome: ReportOutcome) => void } | undefined;
  let over = false;
  let store: (state: FinalJobState) => void = () => undefined;
  const final = new Promise<FinalJobState>((resolve) => (store = resolve));

  return {
    told,
    async report() {
      const said = new Promise<ReportOutcome>((resolve) => {
        conversation = { id: Context.current().info.activityId, end: resolve };
      });
      try {
        const end = await Promise.race([said, final, Context.current().cancelled]);
        if (typeof end !== 'string') {
          over = end.kind === 'aborted';
          return end;
        }
        told.push(end);
        over = true;
        return { kind: 'delivered', coordinatorState: end };
      } catch (error) {
        over = true;
        throw error instanceof CancelledFailure ? error : ApplicationFailure.nonRetryable(String(error));
      } finally {
        conversation = undefined;
      }
    },
    stored: (state) => store(state),
    async say(outcome) {
      await until('a conversation', () => over || conversation !== undefined);
      if (over || conversation === undefined) return undefined;
      const { id, end } = conversation;
      conversation = undefined;
      end(outcome);
      return id;
    },
    untilHeard: () => until('a conversation', () => over || conversation !== undefined),
  };
}
