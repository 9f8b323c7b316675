import type { WorkflowExecutionInfo } from '@temporalio/client';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { takeJobs, toListQuery, toSummary, type JobSummary } from './job-list.js';

/** What Temporal has, newest first. */
async function* found(count: number) {
  for (let at = 0; at < count; at += 1) {
    await Promise.resolve();
    yield {
      workflowId: `job/${String(at)}`,
      status: { name: 'COMPLETED' } as WorkflowExecutionInfo['status'],
      startTime: new Date(1e12 - at * 1000),
      searchAttributes: { HoldfastMetrics: ['failed'] },
    };
  }
}

const numberOf = ({ id }: JobSummary) => Number(id);

describe('takeJobs', () => {
  it('goes on until as many are left as are wanted, not just looked at', async () => {
    const counts = fc.record({
      count: fc.integer({ min: 0, max: 300 }),
      limit: fc.integer({ min: 1, max: 100 }),
      every: fc.integer({ min: 1, max: 100 }),
      atOnce: fc.integer({ min: 1, max: 50 }),
    });
    await fc.assert(
      fc.asyncProperty(counts, async ({ count, limit, every, atOnce }) => {
        const isLeft = (at: number) => at % every === every - 1;
        const settle = (jobs: JobSummary[]) => Promise.resolve(jobs.filter((job) => isLeft(numberOf(job))));

        const jobs = await takeJobs(found(count), { limit, atOnce, settle });

        const all = Array.from({ length: count }, (_, at) => at).filter(isLeft);
        expect(jobs.map(numberOf)).toEqual(all.slice(0, limit));
      }),
    );
  });
});

describe('toListQuery', () => {
  it('asks for failed metrics, too, where a replay may have made of them what is wanted', () => {
    expect(toListQuery({ metrics: 'uploaded' })).toContain("HoldfastMetrics IN ('uploaded', 'failed')");
    expect(toListQuery({ metrics: 'stored' })).toContain("HoldfastMetrics IN ('stored', 'failed')");
    expect(toListQuery({ metrics: 'failed' })).toContain("HoldfastMetrics = 'failed'");
    expect(toListQuery({ metrics: 'pending' })).toContain("HoldfastMetrics = 'pending'");
  });

  it('asks for the state that is shown: nothing of a closed workflow goes on', () => {
    expect(toListQuery({ state: 'success' })).toBe("WorkflowType = 'ciJob' AND HoldfastJobState = 'success'");
    expect(toListQuery({ state: 'running' })).toContain("HoldfastJobState = 'running' AND ExecutionStatus = 'Running'");
    expect(toListQuery({ state: 'pending' })).toContain('OR HoldfastJobState IS NULL) AND ExecutionStatus');
    expect(toListQuery({ state: 'canceled' })).toContain("OR (ExecutionStatus IN ('Terminated', 'Canceled') AND");
    expect(toListQuery({ metrics: 'pending' })).toContain("AND ExecutionStatus = 'Running'");
  });
});

describe('toSummary', () => {
  const info = (status: string, searchAttributes: object) =>
    toSummary({
      workflowId: 'job/1',
      status: { name: status, code: 0 } as unknown as WorkflowExecutionInfo['status'],
      startTime: new Date(0),
      searchAttributes: searchAttributes as WorkflowExecutionInfo['searchAttributes'],
    });

  it.each([
    ['RUNNING', 'running', 'running'],
    ['TERMINATED', 'running', 'canceled'],
    ['TIMED_OUT', 'finishing', 'failed'],
    ['FAILED', undefined, 'failed'],
    ['TERMINATED', 'success', 'success'],
    ['FAILED', 'canceled', 'canceled'],
  ])('of a workflow that is %s and said %s is %s', (status, told, state) => {
    expect(info(status, told === undefined ? {} : { HoldfastJobState: [told] }).state).toBe(state);
  });

  it('waits for no metrics of a workflow that has closed', () => {
    const attributes = { HoldfastMetrics: ['pending'] };
    expect(info('RUNNING', attributes).metrics).toBe('pending');
    expect(info('TERMINATED', attributes).metrics).toBe('none');
  });
});
