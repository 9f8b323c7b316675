import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { READ_ANEW } from '../contracts/names.js';

type Activation = Parameters<
  NonNullable<NonNullable<ReturnType<WorkflowInterceptorsFactory>['internals']>[number]['activate']>
>[0]['activation'];

/**
 * A workflow that a query has shown ahead of its workflow task is forgotten and read anew, from its history, by its next task (ADR 32).
 *
 * A query that waited for a worker may carry events that no workflow task has taken yet. The SDK's core acts on them at once and keeps
 * what has come of it. Events that come before the task begins would then be acted on after them, where a replay takes all events of a
 * task together, signals first: another order, other commands, a workflow that can never go on.
 */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let last: { taskStarted: string; historyLength: number } | undefined;
  let isAhead = false;
  return {
    internals: [
      {
        activate(input, next) {
          const { activation } = input;
          if (!isQueryOnly(activation)) {
            const now = { taskStarted: timeOf(activation), historyLength: activation.historyLength ?? 0 };
            const isOfSameTask = last?.taskStarted === now.taskStarted;
            // Fails the task, which Temporal gives out again at once; the history takes note of it.
            if (isAhead && !isOfSameTask) throw new Error(READ_ANEW);
            // An activation has the time at which its workflow task was started: more history at the same time is of no task.
            isAhead ||= isOfSameTask && (last?.historyLength ?? 0) < now.historyLength;
            last = now;
          }
          next(input);
        },
      },
    ],
  };
};

function isQueryOnly({ jobs }: Activation): boolean {
  return jobs?.every(({ queryWorkflow }) => queryWorkflow != null) ?? false;
}

function timeOf({ timestamp }: Activation): string {
  return `${String(timestamp?.seconds ?? '')}.${String(timestamp?.nanos ?? '')}`;
}
