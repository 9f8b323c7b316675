import type { Client } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import type { JobStatus } from '../../contracts/ci-job.js';
import type { Fault } from '../../contracts/faults.js';
import type { JobLife } from '../../contracts/job-life.js';
import type { Store } from '../../store/store.js';
import { guarded } from '../reach.js';
import { faultOfJob, readJobLife } from './job-life.js';

export interface JobFlight extends JobStatus {
  /** Who must act; null: nobody, or nothing is known to have failed. */
  fault: Fault | null;
  life: JobLife;
}

/** A job's status with its whole life. @throws UnreachableError */
export async function readFlight(
  deps: { temporal: Client; store: Store; codec: PayloadCodec; address: string },
  status: JobStatus,
): Promise<JobFlight> {
  const life = await guarded(() => readJobLife(deps, status), deps.address);
  return { ...status, fault: faultOfJob(status, life.activities), life };
}
