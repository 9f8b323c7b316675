import { createHash } from 'node:crypto';

/**
 * Name of the machine of one attempt of a job: short, a valid host name and container name, and always the same for the same
 * job and attempt, so that two activity attempts that overlap mean the same machine. Another installation's job of the same id is another job.
 */
export function machineName(installation: string, workflowId: string, attempt: number): string {
  const digest = createHash('sha256')
    .update(`${installation}\n${workflowId}\n${String(attempt)}`)
    .digest('hex')
    .slice(0, 12);
  return `hf-${digest}`;
}
