import type { Client } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import type { Store } from '../store/store.js';
import type { JobSource } from '../web/job-source.js';
import { listJobPage } from './job-page.js';
import { readStatus } from './job-status.js';
import { readFlight } from './life/job-flight.js';
import { guarded } from './reach.js';
import { resolveJobId } from './resolve-job.js';
import { listAfterReplay, statusAfterReplay } from './replayed.js';
import { statusWhileWaiting } from './waiting.js';

/** @param deps.address Temporal's, for messages */
export function createJobSource(deps: {
  temporal: Client;
  store: Store;
  codec: PayloadCodec;
  address: string;
}): JobSource {
  const { temporal, store, address } = deps;
  return {
    store,
    async list(query) {
      const page = await guarded(() => listJobPage(temporal, query), address);
      return { ...page, jobs: await listAfterReplay(store, page.jobs, query.metrics) };
    },
    status: async (workflowId) =>
      statusWhileWaiting(deps, await statusAfterReplay(store, await readStatus(deps, workflowId))),
    flight: (status) => readFlight(deps, status),
    resolve: (id) => guarded(() => resolveJobId(temporal, id), address),
  };
}
