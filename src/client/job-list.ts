import type { Client } from '@temporalio/client';
import { toSummary, type ExecutionFacts, type JobSummary } from './job-summary.js';
import { toListQuery, type JobFilter } from './list-query.js';
import { looking } from './looking.js';

/** Of a list, where none is given. */
export const DEFAULT_LIMIT = 50;

/** Jobs in one answer of Temporal. */
const PAGE_SIZE = 200;

/** Says what Temporal does not know of jobs; it may leave some out. */
export type Settle = (jobs: JobSummary[]) => Promise<JobSummary[]>;

/**
 * Newest first; from Temporal's visibility, so it lags behind by a moment.
 * @param settle default: takes all as they are
 */
export async function listJobs(client: Client, filter: JobFilter = {}, settle?: Settle): Promise<JobSummary[]> {
  const limit = filter.limit ?? DEFAULT_LIMIT;
  const pageSize = settle === undefined ? Math.min(limit, PAGE_SIZE) : PAGE_SIZE;
  const found = looking(client).workflow.list({ query: toListQuery(filter), pageSize });
  return newestFirst(
    await takeJobs(found, { limit, atOnce: pageSize, settle: settle ?? ((jobs) => Promise.resolve(jobs)) }),
  );
}

/** As many as are wanted of those that are left: in the place of one that is left out an older one comes. */
export async function takeJobs(
  found: AsyncIterable<ExecutionFacts>,
  { limit, atOnce, settle }: { limit: number; atOnce: number; settle: Settle },
): Promise<JobSummary[]> {
  const jobs: JobSummary[] = [];
  let some: JobSummary[] = [];
  for await (const info of found) {
    some.push(toSummary(info));
    if (some.length < atOnce) continue;
    jobs.push(...(await settle(some)));
    some = [];
    if (jobs.length >= limit) break;
  }
  jobs.push(...(await settle(some)));
  return jobs.slice(0, limit);
}

/** Each once. */
export function newestFirst(jobs: readonly JobSummary[]): JobSummary[] {
  const byId = new Map(jobs.toReversed().map((job) => [job.workflowId, job]));
  return [...byId.values()].sort((a, b) => b.queuedAt.localeCompare(a.queuedAt));
}
