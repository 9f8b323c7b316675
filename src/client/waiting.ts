import type { JobStatus } from '../contracts/ci-job.js';
import { describeOutage, type EngineOutage } from '../contracts/engine-outage.js';
import { readOutages } from '../store/engine-outages.js';
import type { Store } from '../store/store.js';

/** The engines that take no jobs now. Empty when the store is away: then nobody knows. */
export async function knownOutages(
  store: Store,
  filter: { engine?: string; pool?: string } = {},
): Promise<EngineOutage[]> {
  return await readOutages(store, filter).catch(() => []);
}

/** The status of a job that waits for a machine says which engines of its pool take no jobs, and why; any other is as it was. */
export async function statusWhileWaiting(store: Store, status: JobStatus): Promise<JobStatus> {
  if (!waits(status)) return status;
  const outages = await knownOutages(store, { pool: status.pool });
  if (outages.length === 0) return status;
  return { ...status, summary: [status.summary, ...outages.map(describeOutage)].join(' '), outages };
}

/** A job whose provisioning failed is `preparing` until it is tried again. */
function waits({ state }: JobStatus): boolean {
  return state === 'pending' || state === 'preparing';
}
