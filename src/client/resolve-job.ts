import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { CI_JOB_WORKFLOW, jobWorkflowId, shortJobId } from '../contracts/names.js';
import { JobNotFoundError } from './errors.js';
import { quoted } from './list-query.js';
import { looking } from './looking.js';

/** Temporal's largest page. */
const PAGE_SIZE = 1_000;

/**
 * @param id workflow id, or its last part where that is unique
 * @returns of an id that nobody knows what it would be: whoever uses it is told that there is no such job
 * @throws JobNotFoundError, naming the candidates when there are several
 */
export async function resolveJobId(client: Client, id: string): Promise<string> {
  if (id === '') throw new JobNotFoundError('There is no job without an id');
  // Temporal's lists lag behind: a job that has started just now is found by its whole id, and by the one that it was given.
  const given = jobWorkflowId(id);
  const [isWhole, isGiven] = await Promise.all([isJob(client, id), isJob(client, given)]);
  if (isWhole) return id;
  if (id.includes('/')) return isGiven ? given : id;
  const [only = given, ...others] = [
    ...new Set([...(isGiven ? [given] : []), ...(await endingIn(client, id, isGiven))]),
  ];
  if (others.length === 0) return only;
  throw new JobNotFoundError(`"${id}" is not unique: ${[only, ...others].join(', ')}. Give the whole workflow id`);
}

export async function isJob(client: Client, workflowId: string): Promise<boolean> {
  try {
    return (await looking(client).workflow.getHandle(workflowId).describe()).type === CI_JOB_WORKFLOW;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/**
 * Temporal cannot ask for the end of an id: all are looked at, or those of GitLab alone.
 * @param isGiven `job/<id>` is known; then only another job that goes by the same name everywhere is in its way
 */
async function endingIn(client: Client, id: string, isGiven: boolean): Promise<string[]> {
  const among = isGiven ? " AND WorkflowId STARTS_WITH 'gitlab/'" : '';
  const query = `WorkflowType = ${quoted(CI_JOB_WORKFLOW)}${among}`;
  const found: string[] = [];
  for await (const { workflowId } of looking(client).workflow.list({ query, pageSize: PAGE_SIZE })) {
    if (shortJobId(workflowId) === id) found.push(workflowId);
  }
  return found;
}
