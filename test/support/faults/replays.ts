import { resolve } from 'node:path';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { Stack } from '../stack.js';

let installed = false;

/**
 * Whoever goes on with a workflow reads it from its history. One that goes another way there could never go on.
 * @returns 0, or 1 and a line on standard output that says where
 */
export async function replayDiffers(stack: Stack, workflowId: string): Promise<number> {
  // One for a process, and it is noisy by itself.
  if (!installed) Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
  installed = true;
  const { options, workflow } = stack.client.temporal;
  const history = taken(await workflow.getHandle(workflowId).fetchHistory());
  const workflowBundle = { codePath: resolve('dist', 'workflow-bundle.js') };
  const { payloadCodecs } = options.loadedDataConverter;
  try {
    await Worker.runReplayHistory({ workflowBundle, dataConverter: { payloadCodecs } }, history, workflowId);
    return 0;
  } catch (error) {
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
