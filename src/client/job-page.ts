import type { Client } from '@temporalio/client';
import { executionInfoFromRaw } from '@temporalio/client/lib/helpers.js';
import { listJobs, newestFirst } from './job-list.js';
import { toSummary, type JobSummary } from './job-summary.js';
import { toListQuery, type JobFilter } from './list-query.js';
import { looking } from './looking.js';
import { readPageToken, writePageToken } from './page-token.js';
import { flaggedByReplay } from './replay-flags.js';

/** A page of the list of jobs. */
export interface JobPage {
  jobs: JobSummary[];
  /** Where the next page begins; absent on the last one. */
  next?: string;
  /** Of a search: how many jobs were looked at, the newest. */
  searched?: number;
}

export interface JobPageQuery extends JobFilter {
  /** Part of an id, a name, a project or a machine, in any case. */
  text?: string;
  page?: string;
}

const PAGE_SIZE = 50;
/** A search by any part of a name has to look at jobs one by one. */
const MAX_SEARCHED = 2_000;
const LIST_TIMEOUT_MS = 8_000;

/** Newest first within a page; pages come in Temporal's order: open jobs, then those that closed last. @throws BadPageError */
export async function listJobPage(client: Client, query: JobPageQuery): Promise<JobPage> {
  return await client.withDeadline(Date.now() + LIST_TIMEOUT_MS, () =>
    query.text === undefined ? nextPage(client, query) : search(client, query, query.text),
  );
}

/** The SDK's own list cannot go on where an earlier request ended. */
async function nextPage(client: Client, query: JobPageQuery): Promise<JobPage> {
  const { loadedDataConverter } = looking(client).options;
  const token = query.page === undefined ? Buffer.alloc(0) : readPageToken(query.page);
  const answer = await client.workflowService.listWorkflowExecutions({
    namespace: client.options.namespace,
    query: toListQuery(query),
    pageSize: PAGE_SIZE,
    nextPageToken: token,
  });
  const infos = await Promise.all(
    answer.executions.map((raw) => executionInfoFromRaw(raw, loadedDataConverter, undefined, client.options.namespace)),
  );
  const found = infos.map(toSummary);
  // They have no place in Temporal's pages, so that they stand on the first.
  const replayed = query.page === undefined ? await flaggedByReplay(client, query, PAGE_SIZE) : [];
  const jobs = newestFirst([...found, ...replayed]);
  const next = answer.nextPageToken;
  // Temporal gives a token with a page that is just full; whether anything follows shows on the next one.
  return next.length === 0 || found.length < PAGE_SIZE ? { jobs } : { jobs, next: writePageToken(next) };
}

async function search(client: Client, query: JobPageQuery, text: string): Promise<JobPage> {
  const filter = { ...query, limit: MAX_SEARCHED };
  const listed = await listJobs(client, filter);
  const all = newestFirst([...listed, ...(await flaggedByReplay(client, query, MAX_SEARCHED))]);
  const wanted = text.toLowerCase();
  const found = all.filter(({ workflowId, name, project, machine }) =>
    [workflowId, name, project, machine].some((value) => value?.toLowerCase().includes(wanted)),
  );
  return { jobs: found.slice(0, 200), searched: all.length };
}
