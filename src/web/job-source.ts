import type { JobPage, JobPageQuery } from '../client/job-page.js';
import type { JobFlight } from '../client/life/job-flight.js';
import type { JobStatus } from '../contracts/ci-job.js';
import type { Store } from '../store/store.js';

/** What the pages know of jobs: Temporal's lists and states, and the store. Nothing here can be changed. */
export interface JobSource {
  /** @throws UnreachableError */
  list(query: JobPageQuery): Promise<JobPage>;
  /** @throws JobNotFoundError, UnreachableError */
  status(workflowId: string): Promise<JobStatus>;
  /** The job's whole life: every activity and every attempt. @throws UnreachableError */
  flight(status: JobStatus): Promise<JobFlight>;
  /** @param id a workflow id or its last part @throws JobNotFoundError when several jobs are meant, UnreachableError */
  resolve(id: string): Promise<string>;
  readonly store: Store;
}
