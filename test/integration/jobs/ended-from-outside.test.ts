import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobHandle } from '../../../src/client.js';
import type { JobState } from '../../../src/contracts/names.js';
import { jobKeys } from '../../../src/store/keys.js';
import { until } from '../../support/processes.js';
import { TEST_IMAGE } from '../../support/docker.js';
import { startStack, type Stack } from '../../support/stack.js';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

afterAll(() => stack.close());

/** A job whose script has printed something. */
async function running(): Promise<JobHandle> {
  const handle = await stack.client.startJob({ image: TEST_IMAGE, script: ['echo ready', 'sleep 300'] });
  const stop = new AbortController();
  let trace = '';
  for await (const chunk of handle.trace({ signal: stop.signal })) {
    trace += chunk.toString();
    if (trace.includes('\nready\n')) break;
  }
  stop.abort();
  return handle;
}

async function listed(handle: JobHandle): Promise<JobState[]> {
  const states: JobState[] = [];
  for (const state of ['pending', 'preparing', 'running', 'finishing', 'success', 'failed', 'canceled'] as const) {
    const jobs = await stack.client.listJobs({ state });
    states.push(...jobs.filter(({ workflowId }) => workflowId === handle.workflowId).map((job) => job.state));
  }
  return states;
}

async function updatesOf(handle: JobHandle): Promise<number> {
  const { events } = await stack.client.temporal.workflow.getHandle(handle.workflowId).fetchHistory();
  return (events ?? []).filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes != null).length;
}

function closed(handle: JobHandle): Promise<void> {
  const workflow = stack.client.temporal.workflow.getHandle(handle.workflowId);
  return until('a closed workflow', async () => (await workflow.describe()).status.name !== 'RUNNING');
}

describe('a job whose workflow is closed', () => {
  it('after it was canceled gives the result that it gave before', async () => {
    const handle = await running();
    await handle.cancel();
    const result = await handle.result();
    await closed(handle);

    const again = await (await stack.client.job(handle.workflowId)).result();

    expect(result).toMatchObject({ state: 'canceled', failureReason: 'job_canceled' });
    expect(again).toEqual({ ...result, metrics: (await handle.status()).metrics });
    expect(await listed(handle)).toEqual(['canceled']);
  });

  it('because somebody terminated it is told as over, by everything', async () => {
    const handle = await running();
    await until('its place in the list', async () => (await listed(handle)).includes('running'));
    const waiting = handle.result();
    await until('its wait', async () => (await updatesOf(handle)) > 0);
    await stack.client.temporal.workflow.getHandle(handle.workflowId).terminate('by hand');

    const status = await handle.status();
    const result = await waiting;
    await until('its new place in the list', async () => !(await listed(handle)).includes('running'));

    const size = await stack.client.store.size(jobKeys.trace(handle.workflowId));
    expect(status).toMatchObject({
      state: 'canceled',
      failureReason: 'job_canceled',
      summary: expect.stringContaining('terminated from outside (by hand)') as string,
      metrics: 'none',
      finishedAt: expect.stringMatching(/^2/) as string,
      steps: [{ name: 'step_script', state: 'canceled' }],
      traceBytes: size,
    });
    expect(result).toEqual({
      workflowId: handle.workflowId,
      state: 'canceled',
      failureReason: 'job_canceled',
      failureMessage: status.failureMessage,
      exitCode: null,
      allowedToFail: false,
      metrics: 'none',
      traceBytes: size,
    });
    expect(await listed(handle)).toEqual(['canceled']);
    expect(await (await stack.client.job(handle.workflowId)).result()).toEqual(result);
    const withMetrics = async (metrics: 'pending' | 'failed' | 'none') =>
      (await stack.client.listJobs({ metrics })).map(({ id, failureReason }) => [id, failureReason]);
    const asListed = [handle.id, 'job_canceled'];
    expect(await withMetrics('pending')).not.toContainEqual(asListed);
    expect(await withMetrics('failed')).not.toContainEqual(asListed);
    expect(await withMetrics('none')).toContainEqual(asListed);
  });

  it('because somebody terminated it while its metrics were collected keeps its end, and can be replayed', async () => {
    await stack.stopPrometheus();
    const handle = await stack.client.startJob({ image: TEST_IMAGE, script: ['echo done'] });
    expect(await handle.result()).toMatchObject({ state: 'success', metrics: 'pending' });
    await stack.client.temporal.workflow.getHandle(handle.workflowId).terminate('by hand');
    const listedIn = async (filter: { state?: JobState; metrics?: 'pending' | 'failed' | 'none' }) =>
      (await stack.client.listJobs(filter)).some(({ id }) => id === handle.id);
    await until('its new place in the list', () => listedIn({ metrics: 'failed' }));

    expect(await handle.status()).toMatchObject({
      state: 'success',
      exitCode: 0,
      metrics: 'failed',
      summary: 'The job succeeded. Metrics: failed (its workflow was ended before they were collected).',
    });
    const later = await stack.client.job(handle.workflowId);
    expect(await later.result()).toMatchObject({ state: 'success', metrics: 'failed' });
    expect(await listedIn({ state: 'success' })).toBe(true);
    expect(await listedIn({ state: 'canceled' })).toBe(false);
    await stack.startPrometheus();
    expect(await stack.client.replayMetrics(handle.id)).toMatchObject({ outcome: 'no_samples' });
  });
});
