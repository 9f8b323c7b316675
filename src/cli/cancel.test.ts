import { expect, it } from 'vitest';
import type { JobStatus } from '../client.js';
import type { JobState } from '../contracts/names.js';
import { cancelJob } from './cancel.js';

async function canceled(state: JobState): Promise<{ said: string; reasons: (string | undefined)[] }> {
  const reasons: (string | undefined)[] = [];
  const cancel = (reason?: string) => Promise.resolve(void reasons.push(reason));
  const status = () => Promise.resolve({ state } as JobStatus);
  return { said: await cancelJob({ workflowId: 'job/x', status, cancel }, 'why'), reasons };
}

it('cancels a job that is open', async () => {
  expect(await canceled('running')).toEqual({ said: 'job/x is being canceled', reasons: ['why'] });
});

it('says of a job that is over how it ended, and cancels nothing', async () => {
  expect(await canceled('success')).toEqual({
    said: 'job/x is over already: success. Nothing was canceled',
    reasons: [],
  });
});
