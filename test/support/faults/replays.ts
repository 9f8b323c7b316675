import { resolve } from 'node:path';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import type { Stack } from '../stack.js';

let turn: Promise<unknown> = Promise.resolve();

/**
 * Whoever goes on with a workflow reads it from its history. One that goes another way there could never go on.
 * @returns 0, or 1 and a line on standard output that says where
 */
export async function replayDiffers(stack: Stack, workflowId: string): Promise<number> {
  const { options, workflow } = stack.client.temporal;
  const history = taken(await workflow.getHandle(workflowId).fetchHistory());
  const { payloadCodecs } = options.loadedDataConverter;
  const replay = async () => {
    // It is noisy by itself, and ends with its last worker.
    Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
    const workflowBundle = { codePath: resolve('dist', 'workflow-bundle.js') };
    await Worker.runReplayHistory({ workflowBundle, dataConverter: { payloadCodecs } }, history, workflowId);
  };
  // One after another: the SDK has one runtime for all of a process, and takes it down between two.
  const replayed = turn.then(replay);
  turn = replayed.catch(() => undefined);
  try {
    await replayed;
    return 0;
  } catch (error) {
    if (!(error instanceof DeterminismViolationError)) throw error;
    process.stdout.write(`${workflowId} goes another way when it is read from its history: ${String(error)}\n`);
    return 1;
  }
}

const CLOSING = [
  'workflowExecutionCompletedEventAttributes',
  'workflowExecutionFailedEventAttributes',
  'workflowExecutionCanceledEventAttributes',
] as const;

/** Of a workflow that is open the last events may be of no workflow task yet. */
function taken(history: History): History {
  const events = history.events ?? [];
  const last = events.at(-1);
  if (CLOSING.some((closing) => last?.[closing] != null)) return { events };
  const lastTask = events.findLastIndex(({ workflowTaskStartedEventAttributes: started }) => started != null);
  return { events: events.slice(0, lastTask + 1) };
}
