import type { Client } from '@temporalio/client';
import type { JobStatus } from '../contracts/ci-job.js';
import { describeOutage, type EngineOutage } from '../contracts/engine-outage.js';
import { readOutages } from '../store/engine-outages.js';
import type { Store } from '../store/store.js';
import { readHindrances } from './hindrances.js';

/** The engines that take no jobs now. Empty when the store is away: then nobody knows. */
export async function knownOutages(
  store: Store,
  filter: { engine?: string; pool?: string } = {},
): Promise<EngineOutage[]> {
  return await readOutages(store, filter).catch(() => []);
}

/** The status of a job that waits for a machine says what it waits for: which engines of its pool take no jobs, and why; any other is as it was. */
export async function statusWhileWaiting(
  { store, temporal }: { store: Store; temporal: Client },
  status: JobStatus,
): Promise<JobStatus> {
  if (!waits(status)) return status;
  const [outages, hindrances] = await Promise.all([
    knownOutages(store, { pool: status.pool }),
    // Temporal may be away by now, or not let us ask: then nobody knows.
    readHindrances(temporal, status).catch(() => []),
  ]);
  return {
    ...status,
    summary: [status.summary, ...hindrances, ...outages.map(describeOutage)].join(' '),
    ...(outages.length === 0 ? {} : { outages }),
    ...(hindrances.length === 0 ? {} : { hindrances }),
  };
}

/** A job whose provisioning failed is `preparing` until it is tried again. */
function waits({ state }: JobStatus): boolean {
  return state === 'pending' || state === 'preparing';
}
