import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';

/**
 * Writes a whole file or nothing: readers see the old one or the new one, also after a crash.
 * @param options.mode of a new file, or of any with `enforceMode`; otherwise an existing file keeps its own
 */
export async function replaceFile(
  path: string,
  content: string,
  options: { mode: number; enforceMode?: boolean },
): Promise<void> {
  const known = options.enforceMode === true ? undefined : await modeOf(path);
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', known ?? options.mode);
    try {
      await file.chmod(known ?? options.mode);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** @returns undefined when there is no such file */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o777;
  } catch {
    return undefined; // a new file
  }
}
