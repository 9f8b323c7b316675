import type { WorkflowExecutionInfo } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { takeJobs } from './job-list.js';
import type { JobSummary } from './job-summary.js';

/** What Temporal has, newest first. */
async function* found(count: number) {
  for (let at = 0; at < count; at += 1) {
    await Promise.resolve();
    yield {
      workflowId: `job/${String(at)}`,
      status: { name: 'COMPLETED' } as WorkflowExecutionInfo['status'],
      startTime: new Date(1e12 - at * 1000),
      typedSearchAttributes: new TypedSearchAttributes([]),
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
