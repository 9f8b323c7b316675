import type { WorkflowHandle } from '@temporalio/client';
import type { JobStatus } from '../contracts/ci-job.js';
import { READ_ANEW, STATUS_QUERY } from '../contracts/names.js';

/** Once is enough, unless everything dies again meanwhile. */
const TIMES = 3;

/**
 * How a job's workflow says that it stands.
 * @throws what the query does; within the client's deadline, where it has one
 */
export async function askStatus(handle: Pick<WorkflowHandle, 'query'>): Promise<JobStatus> {
  for (let time = 1; ; time++) {
    try {
      return await handle.query<JobStatus>(STATUS_QUERY);
    } catch (error) {
      if (time === TIMES || !isReadAnew(error)) throw error;
    }
  }
}

function isReadAnew(error: unknown): boolean {
  return error instanceof Error && error.message.includes(READ_ANEW);
}
