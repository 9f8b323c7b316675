import { createHash } from 'node:crypto';

/**
 * What an open workflow depends on is the workflow code and nothing else, so its hash is the version's identity: a release that
 * changes only activities goes on with the jobs of the one before. The release's number in front is for people and for order.
 */
export function buildIdOf(version: string, workflowBundle: string | Buffer): string {
  return `${version}-${createHash('sha256').update(workflowBundle).digest('hex').slice(0, 12)}`;
}

/** Whether a worker that starts is to take over from the current version: unless that is a later release. */
export function takesOverFrom(own: string, current: string | undefined): boolean {
  if (current === undefined) return true;
  return own !== current && compareReleases(releaseOf(own), releaseOf(current)) >= 0;
}

function releaseOf(buildId: string): number[] {
  return (/^\d+(\.\d+)*/.exec(buildId)?.[0] ?? '0').split('.').map(Number);
}

function compareReleases(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
