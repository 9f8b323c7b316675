import type { Client } from '@temporalio/client';
import { jobOfReplay, REPLAY_METRICS_WORKFLOW } from '../contracts/names.js';
import { toSummary, type JobSummary } from './job-summary.js';
import { quoted, toListQuery, type JobFilter } from './list-query.js';
import { looking } from './looking.js';

/** Ids in one question; a question to Temporal has a longest length. */
const IDS_AT_ONCE = 50;

/**
 * Jobs whose flag only a replay of their metrics has found: their own workflows were closed by then, so that it stands at the replay's.
 * @returns at most `limit`, those whose replay came last first; none when no flag is asked for
 */
export async function flaggedByReplay(client: Client, filter: JobFilter, limit: number): Promise<JobSummary[]> {
  const { flag, state, project, since } = filter;
  if (flag === undefined) return [];
  // Not by `metrics`: what the job's workflow says of them was before the replay.
  const others: JobFilter = {
    ...(state === undefined ? {} : { state }),
    ...(project === undefined ? {} : { project }),
    ...(since === undefined ? {} : { since }),
  };
  const ids = new Set<string>();
  const replays = `WorkflowType = '${REPLAY_METRICS_WORKFLOW}' AND HoldfastFlags = ${quoted(flag)}`;
  for await (const { workflowId } of client.workflow.list({ query: replays, pageSize: 200 })) {
    ids.add(jobOfReplay(workflowId));
    if (ids.size >= limit) break;
  }
  const jobs: JobSummary[] = [];
  for (let from = 0; from < ids.size; from += IDS_AT_ONCE) {
    const some = [...ids].slice(from, from + IDS_AT_ONCE).map(quoted);
    const query = `${toListQuery(others)} AND WorkflowId IN (${some.join(', ')})`;
    for await (const info of looking(client).workflow.list({ query, pageSize: IDS_AT_ONCE })) {
      const job = toSummary(info);
      jobs.push({ ...job, flags: [...new Set([...job.flags, flag])] });
    }
  }
  return jobs;
}
