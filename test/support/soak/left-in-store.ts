import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** A write goes on for so long at the most; it was touched last when its worker was killed, or a bit before. */
const WRITE_MS = 15_000;

/**
 * What nobody needs when all jobs are over. A worker that is killed leaves what it was writing, which goes after a day
 * (docs/operations.md); nothing else stays.
 * @param killedAt Unix milliseconds of each kill of a worker
 * @returns a sentence each
 */
export async function leftInStore(directory: string, killedAt: readonly number[]): Promise<string[]> {
  const left: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const what = nameOf(relative(directory, path));
    if (what === undefined) continue;
    const { mtimeMs } = await stat(path);
    const excused = what.unlessKilled && killedAt.some((at) => at > mtimeMs - 1_000 && at < mtimeMs + WRITE_MS);
    if (!excused) left.push(`${what.name} is left in the store: ${relative(directory, path)}`);
  }
  return left;
}

function nameOf(path: string): { name: string; unlessKilled: boolean } | undefined {
  if (path.includes('.tmp/')) return { name: 'half a write', unlessKilled: true };
  if (path.startsWith('probe/')) return { name: 'a probe', unlessKilled: true };
  if (path.startsWith('spool/')) return { name: 'a job that GitLab has handed over', unlessKilled: false };
  if (/^jobs\/[^/]+\/dependencies\//.test(path)) return { name: 'an archive of another job', unlessKilled: false };
  return undefined;
}
