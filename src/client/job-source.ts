import type { Client } from '@temporalio/client';
import type { Store } from '../store/store.js';
import type { JobSource } from '../web/job-source.js';
import { resolveJobId } from './job-list.js';
import { listJobPage } from './job-page.js';
import { readStatus } from './job-status.js';
import { guarded } from './reach.js';
import { statusWhileWaiting } from './waiting.js';

/** @param address Temporal's, for messages */
export function createJobSource(client: Client, store: Store, address: string): JobSource {
  return {
    store,
    list: (query) => guarded(() => listJobPage(client, query), address),
    status: async (workflowId) =>
      statusWhileWaiting(store, await readStatus({ temporal: client, store, address }, workflowId)),
    resolve: (id) => guarded(() => resolveJobId(client, id), address),
  };
}
