import type { Client } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { JobStatus } from '../contracts/ci-job.js';
import { createOpenJobs } from './open-jobs.js';

const HERE = { engine: 'a', machine: 'hf-1' };

function isPast(status: Partial<JobStatus> | Error): Promise<boolean> {
  const query = () => (status instanceof Error ? Promise.reject(status) : Promise.resolve(status));
  const client = {
    workflow: { getHandle: () => ({ query }) },
    withDeadline: (_: number, work: () => unknown) => work(),
  } as unknown as Client;
  return createOpenJobs(client).isPast('job/1', HERE);
}

describe('a job is past the making of a machine', () => {
  it.each<[string, Partial<JobStatus>]>([
    ['has it from another engine', { state: 'running', engine: 'b', machine: 'hf-1' }],
    ['runs on a later one', { state: 'finishing', engine: 'b', machine: 'hf-2' }],
    ['has ended without', { state: 'failed', engine: null, machine: null }],
  ])('when it %s', async (_, status) => {
    expect(await isPast(status)).toBe(true);
  });

  it.each<[string, Partial<JobStatus> | Error]>([
    ['runs on it', { state: 'running', ...HERE }],
    ['waits for one', { state: 'pending', engine: null, machine: null }],
    ['has one prepared, after another was lost', { state: 'preparing', engine: 'b', machine: 'hf-0' }],
    ['cannot be asked', new Error('no worker is there')],
  ])('but not when it %s', async (_, status) => {
    expect(await isPast(status)).toBe(false);
  });
});
