import { workflowInfo, type ActivateInput, type WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { READ_ANEW } from '../contracts/names.js';

type Activation = ActivateInput['activation'];

/** As the SDK's core calls a query that Temporal has given to a worker by itself, not with a workflow task. */
const DIRECT = 'legacy_query';

/** A workflow task is acted on within milliseconds of its start: one that is older may have been another worker's, which never came back. */
const FRESH_MS = 1_000;

/** What a query itself has brought is acted on right before it: within microseconds, on a busy machine within a second. */
const APART_MS = 3_000;

/**
 * A workflow that has acted, or may have, on events which no workflow task has taken is forgotten, and the query that brought them fails (ADR 32).
 *
 * A query that had to wait for a worker may bring such events. The SDK's core acts on them to answer and keeps what has come of it; a replay
 * gets all events of a task together, signals first. Two orders, other commands, and the workflow could never go on.
 */
export const interceptors: WorkflowInterceptorsFactory = () => keepingToTasks(() => workflowInfo().unsafe.now());

/** What an activation says of the workflow task that it is of. */
interface Task {
  /** Unix milliseconds of Temporal's clock. */
  startedAtMs: number;
  /** As it was when the task was started. */
  historyBytes: string;
  /** All that core has looked at. */
  events: number;
}

/** @param now Unix milliseconds of this machine's clock, not of the workflow's */
export function keepingToTasks(now: () => number): ReturnType<WorkflowInterceptorsFactory> {
  let last: Task | undefined;
  /** Unix milliseconds: a direct query that comes before may have brought what was acted on last. */
  let inDoubtUntilMs = -Infinity;

  function doubtUntil(task: Task): number {
    if (last !== undefined && isOfNoTask(task, last)) return Infinity;
    return now() - task.startedAtMs < FRESH_MS ? -Infinity : now() + APART_MS;
  }

  return {
    internals: [
      {
        activate(input, next) {
          const { jobs, isReplaying } = input.activation;
          if (jobs?.every(({ queryWorkflow }) => queryWorkflow != null) !== true) {
            const task = taskOf(input.activation);
            // What is read from the history every worker reads so.
            // A task, or what is of none, may be acted on in several goes.
            inDoubtUntilMs = isReplaying === true ? -Infinity : Math.max(inDoubtUntilMs, doubtUntil(task));
            last = task;
          } else if (jobs.some(({ queryWorkflow }) => queryWorkflow?.queryId === DIRECT) && now() < inDoubtUntilMs) {
            throw new Error(READ_ANEW);
          }
          next(input);
        },
      },
    ],
  };
}

function taskOf({ timestamp, historySizeBytes, historyLength }: Activation): Task {
  return {
    startedAtMs: Number(timestamp?.seconds ?? 0) * 1_000 + (timestamp?.nanos ?? 0) / 1_000_000,
    historyBytes: String(historySizeBytes ?? 0),
    events: historyLength ?? 0,
  };
}

/** More events, with the time and the size of a task that was acted on already. */
function isOfNoTask(task: Task, last: Task): boolean {
  return task.startedAtMs === last.startedAtMs && task.historyBytes === last.historyBytes && task.events > last.events;
}
