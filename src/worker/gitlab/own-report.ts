import type { JobStatus } from '../../contracts/ci-job.js';

/**
 * Whether a drain waits until the coordinator has heard the end of the job: its machine is, or was, on an engine of this worker, or
 * it never got one and only its end is to be told. Any worker reports on any job; the others' would hold up a drain for ever.
 */
export function isOwnReport(
  { engine, state }: Pick<JobStatus, 'engine' | 'state'>,
  engines: { has(name: string): boolean },
): boolean {
  return engine === null ? state !== 'pending' && state !== 'preparing' : engines.has(engine);
}
