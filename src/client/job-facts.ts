import type { JobStatus } from '../contracts/ci-job.js';
import type { JobSummary } from './job-summary.js';

/** A job of the list with what `show` says of it, but for its steps. */
export interface JobFacts extends JobSummary {
  exitCode: number | null;
  engine: string | null;
  startedAt: string | null;
  /** When its final status was decided. */
  finishedAt: string | null;
  traceBytes: number;
}

/** Jobs asked at once. */
const AT_ONCE = 16;

/**
 * Temporal's list knows no times and no exit codes.
 * @param statusOf asks the workflow, or the store for one that has closed
 */
export async function readJobFacts(
  jobs: readonly JobSummary[],
  statusOf: (workflowId: string) => Promise<JobStatus>,
): Promise<JobFacts[]> {
  const facts: JobFacts[] = [];
  for (let from = 0; from < jobs.length; from += AT_ONCE) {
    const some = jobs.slice(from, from + AT_ONCE).map(async (job) => addFacts(job, await statusOf(job.workflowId)));
    facts.push(...(await Promise.all(some)));
  }
  return facts;
}

function addFacts(job: JobSummary, status: JobStatus): JobFacts {
  const { exitCode, engine, machine, startedAt, finishedAt, traceBytes } = status;
  return { ...job, exitCode, engine, machine: machine ?? job.machine, startedAt, finishedAt, traceBytes };
}
