import { createHash } from 'node:crypto';

/**
 * Name of the machine of one attempt of a job on one engine: short, a valid host name and container name, and always the same for the same
 * three, so that two activity attempts that overlap there mean the same machine. Another installation's job of the same id is another
 * job; and two engines of a configuration may be one Docker daemon, where half a machine of the one must not be taken for the other's.
 */
export function machineName(
  { installation, engine }: { installation: string; engine: string },
  workflowId: string,
  attempt: number,
): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([installation, engine, workflowId, attempt]))
    .digest('hex')
    .slice(0, 12);
  return `hf-${digest}`;
}
