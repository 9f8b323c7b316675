import type { Client } from '@temporalio/client';
import { incompleteKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import { toSummary, type JobSummary } from './job-summary.js';
import { quoted, toListQuery } from './list-query.js';
import { looking } from './looking.js';

/** Ids in one question; a question to Temporal has a longest length. */
const IDS_AT_ONCE = 50;

/**
 * Jobs whose metrics lack something that a replay may bring, whatever Temporal says of them: GitLab got its copy, but the last scrape
 * never came, or a query had no answer. One listing of marks in the store; of those, what Temporal knows.
 */
export async function listIncompleteMetrics(
  client: Client,
  store: Store,
  filter: { since?: Date; limit: number },
): Promise<JobSummary[]> {
  const ids = (await store.list(incompleteKeys.all())).map(incompleteKeys.jobOf);
  const base = toListQuery(filter.since === undefined ? {} : { since: filter.since });
  const temporal = looking(client);
  const jobs: JobSummary[] = [];
  for (let from = 0; from < ids.length && jobs.length < filter.limit; from += IDS_AT_ONCE) {
    const some = ids.slice(from, from + IDS_AT_ONCE).map(quoted);
    const query = `${base} AND WorkflowId IN (${some.join(', ')})`;
    for await (const info of temporal.workflow.list({ query, pageSize: IDS_AT_ONCE })) jobs.push(toSummary(info));
  }
  return jobs;
}
