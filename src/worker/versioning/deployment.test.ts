import type { Client } from '@temporalio/client';
import { ServiceError } from '@temporalio/client';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createDeployment } from './deployment.js';

afterEach(() => vi.useRealTimers());

/** As the client throws what gRPC says. */
function refusal(code: number, details: string): Error {
  const cause = Object.assign(new Error(`${String(code)}: ${details}`), { code, details, metadata: {} });
  return new ServiceError('Failed to query Workflow', { cause });
}

function asking(error: Error | undefined): Client {
  const query = () => (error === undefined ? Promise.resolve({}) : Promise.reject(error));
  return {
    options: { namespace: 'default', identity: 'me' },
    withDeadline: (_deadline: number, work: () => Promise<unknown>) => work(),
    workflow: { getHandle: () => ({ query }) },
  } as unknown as Client;
}

describe('whether a worker of a version answers', () => {
  it.each([
    [undefined, true],
    [refusal(4, 'context deadline exceeded'), false],
    [refusal(9, 'no poller seen for task queue recently, worker may be down'), false],
    [refusal(9, 'Cannot query workflow due to Workflow Task in failed state.'), true],
    [refusal(5, 'workflow execution already completed'), true],
  ])('is told by %s', async (error, answers) => {
    expect(await createDeployment(asking(error), 'holdfast').answers('job/1', 3_000)).toBe(answers);
  });
});

describe('versions that are polled', () => {
  const POLLS = { old: 1_000_000, new: 1_060_000, gone: 900_000 };

  function polled(): Client {
    const pollers = Object.entries(POLLS).map(([buildId, atMs]) => ({
      lastAccessTime: { seconds: atMs / 1000 },
      deploymentOptions: { buildId },
    }));
    return {
      options: { namespace: 'default', identity: 'me' },
      workflowService: { describeTaskQueue: () => Promise.resolve({ pollers }) },
    } as unknown as Client;
  }

  it.each([
    ['right', 1_062_000],
    ['45 s ahead', 1_107_000],
    ['an hour ahead', 4_662_000],
  ])('are the same by a clock that is %s', async (_, nowMs) => {
    vi.useFakeTimers({ now: nowMs });

    expect(await createDeployment(polled(), 'holdfast').recentPollers(90_000)).toEqual(new Set(['old', 'new']));
  });
});
