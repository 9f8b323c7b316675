import { open } from 'node:fs/promises';

/** Puts a file or a directory on the disk. A name (a new file, a rename) is there when its directory is. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
