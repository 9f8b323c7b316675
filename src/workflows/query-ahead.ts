import { workflowInfo, type ActivateInput, type WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { READ_ANEW } from '../contracts/names.js';

type Jobs = NonNullable<ActivateInput['activation']['jobs']>;

/** As the SDK's core calls a query that Temporal has given to a worker by itself, not with a workflow task. */
const DIRECT = 'legacy_query';

/**
 * What a query itself has brought is acted on at once before it: within microseconds, on a busy machine within a second. A query that comes
 * later is one of a workflow that has told Temporal what it did.
 */
const APART_MS = 3_000;

/**
 * A workflow that may have acted on events which no workflow task has taken yet is forgotten, and the query that brought them fails (ADR 32).
 *
 * A query that had to wait for a worker may bring such events. The SDK's core acts on them to answer and keeps what has come of it; a replay
 * gets all events of a task together, signals first. Two orders, other commands, and the workflow could never go on.
 */
export const interceptors: WorkflowInterceptorsFactory = () => keepingToTasks(() => workflowInfo().unsafe.now());

/** @param now Unix milliseconds of this machine's clock, not of the workflow's */
export function keepingToTasks(now: () => number): ReturnType<WorkflowInterceptorsFactory> {
  /** When it last acted on anything that is not in its history as done; undefined: it was read from there, and no more. */
  let actedAtMs: number | undefined;
  return {
    internals: [
      {
        activate(input, next) {
          const { jobs, isReplaying } = input.activation;
          const queries = queriesOf(jobs ?? []);
          if (queries.length < (jobs ?? []).length) actedAtMs = isReplaying === true ? undefined : now();
          // After that it is read from its history alone, so the same question has an answer.
          else if (queries.includes(DIRECT) && actedAtMs !== undefined && now() - actedAtMs < APART_MS)
            throw new Error(READ_ANEW);
          next(input);
        },
      },
    ],
  };
}

/** Their ids. */
function queriesOf(jobs: Jobs): string[] {
  return jobs.flatMap(({ queryWorkflow }) => (queryWorkflow == null ? [] : [queryWorkflow.queryId ?? '']));
}
