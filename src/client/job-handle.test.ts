import { ServiceError, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { createJobHandle, type JobHandleDeps } from './job-handle.js';

const RUNNING = {
  type: { name: 'ciJob' },
  execution: { workflowId: 'job/1', runId: 'r' },
  taskQueue: 'holdfast',
  status: 1,
  historyLength: { toNumber: () => 1 },
  startTime: {},
};

/** A server that answers the update so, one after another, and knows the job to be running. */
function handleOn(answers: (Error | object)[]) {
  const executeUpdate = () => {
    const answer = answers.shift();
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const workflowService = { describeWorkflowExecution: () => Promise.resolve({ workflowExecutionInfo: RUNNING }) };
  const temporal = {
    connection: { workflowService },
    options: { loadedDataConverter: { payloadCodecs: [] }, namespace: 'default' },
    workflow: { getHandle: () => ({ executeUpdate }) },
    withDeadline: (_: number, work: () => unknown) => work(),
  } as unknown as Client;
  return createJobHandle({ temporal, address: 'here' } as unknown as JobHandleDeps, 'job/1');
}

describe('whoever waits for a result', () => {
  it('goes on waiting when the server refuses to ask the job, whose worker was lost a few times', async () => {
    const refusal = Object.assign(new Error('Workflow Task in failed state'), { code: 9, details: '', metadata: {} });
    const handle = handleOn([new ServiceError('Workflow Update failed', { cause: refusal }), { state: 'success' }]);

    expect(await handle.result()).toEqual({ state: 'success' });
  });

  it('looks at its end where a job was refused before it could be asked', async () => {
    const unheard = ApplicationFailure.nonRetryable('No registered handler for update: result');
    const handle = handleOn([new WorkflowUpdateFailedError('Workflow Update failed', unheard), { state: 'failed' }]);

    expect(await handle.result()).toEqual({ state: 'failed' });
  });
});
