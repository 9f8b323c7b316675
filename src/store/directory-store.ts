import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { constants, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { syncFile } from '../files/sync.js';
import { keyOfSegments, segmentsOf } from './segments.js';
import { StoreError, type Store, type StoredObject } from './store.js';

/** Only the worker's own user reads what is kept: traces and artifacts may hold what people did not mean to show. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
/** Where unfinished writes are, below the first segment of their keys; earlier releases had them beside. No key's segment begins so. */
const UNFINISHED = '.tmp';
/** A write that has not grown for so long is that of a process that was killed. */
const ABANDONED_MS = 24 * 3_600_000;
/** Between two looks for such. */
const TIDY_MS = 3_600_000;
/** A look costs a system call. */
const LOOK_MS = 80;

/**
 * A store in a directory of a local or shared file system.
 * @param options.now Unix milliseconds, as the file system has them
 */
export function createDirectoryStore(options: { directory: string; now?: () => number }): Store {
  const { now = Date.now } = options;
  const pathOf = (key: string) => join(options.directory, ...segmentsOf(key));
  const tidiedAtMs = new Map<string, number>();

  /** On the file system of what it is to be: a renaming is whole or nothing only there. */
  function unfinishedOf(key: string): string {
    return join(options.directory, ...segmentsOf(key).slice(0, -1).slice(0, 1), UNFINISHED);
  }

  /** What killed processes have left in the middle of a write: whole archives, which nobody else would ever look for. */
  async function tidy(unfinished: string): Promise<void> {
    if (now() - (tidiedAtMs.get(unfinished) ?? -Infinity) < TIDY_MS) return;
    tidiedAtMs.set(unfinished, now());
    for (const name of await readdir(unfinished)) {
      const path = join(unfinished, name);
      const file = await absentAsUndefined(() => stat(path));
      if (file !== undefined && now() - file.mtimeMs > ABANDONED_MS) await rm(path, { force: true });
    }
  }

  async function write(key: string, content: Buffer | string | Readable): Promise<StoredObject> {
    const path = pathOf(key);
    const unfinished = unfinishedOf(key);
    const temporary = join(unfinished, randomBytes(8).toString('hex'));
    return await guarded(async () => {
      await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
      await mkdir(unfinished, { recursive: true, mode: DIRECTORY_MODE });
      await tidy(unfinished);
      try {
        const stored = await writeWhole(temporary, content);
        await rename(temporary, path);
        await syncFile(dirname(path));
        return stored;
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    });
  }

  async function size(key: string): Promise<number | undefined> {
    return await guarded(() => absentAsUndefined(async () => (await stat(pathOf(key))).size));
  }

  return {
    lookMs: LOOK_MS,
    writeMs: 0,
    write,
    size,
    read: (key) => guarded(() => absentAsUndefined(() => readFile(pathOf(key)))),
    async stream(key, range = {}) {
      if ((await size(key)) === undefined) return undefined;
      const { start = 0, end } = range;
      if (end !== undefined && end <= start) return Readable.from([]);
      return createReadStream(pathOf(key), {
        start,
        ...(end === undefined ? {} : { end: end - 1 }),
      }) satisfies ReadStream;
    },
    async writeAt(key, offset, bytes) {
      const path = pathOf(key);
      await guarded(async () => {
        const file = await openForGrowth(path);
        try {
          const { size: end } = await file.stat();
          if (offset > end) {
            throw new StoreError('STORE_GAP', `Cannot write ${key} at ${String(offset)}: it ends at ${String(end)}`);
          }
          for (let written = 0; written < bytes.length;) {
            written += (await file.write(bytes, written, bytes.length - written, offset + written)).bytesWritten;
          }
        } finally {
          await file.close();
        }
      });
    },
    async persist(key) {
      const path = pathOf(key);
      await guarded(() =>
        absentAsUndefined(async () => {
          await syncFile(path);
          await syncFile(dirname(path));
        }),
      );
    },
    async settle(key) {
      await guarded(() => absentAsUndefined(() => syncFile(pathOf(key))));
    },
    async list(prefix) {
      const base = prefix === '' ? options.directory : pathOf(prefix);
      const names = await guarded(() =>
        absentAsUndefined(() => readdir(base, { recursive: true, withFileTypes: true })),
      );
      return (names ?? [])
        .filter((entry) => entry.isFile())
        .map((entry) =>
          join(entry.parentPath, entry.name)
            .slice(options.directory.length + 1)
            .split('/'),
        )
        .filter((segments) => !segments.some((segment) => segment.startsWith(UNFINISHED)))
        .map(keyOfSegments)
        .sort();
    },
    remove: (key) => guarded(() => rm(pathOf(key), { force: true })),
    async probe() {
      const key = `probe/${randomBytes(6).toString('hex')}`;
      await write(key, 'probe');
      await guarded(() => rm(pathOf(key), { force: true }));
    },
  };
}

async function openForGrowth(path: string) {
  const flags = constants.O_WRONLY | constants.O_CREAT;
  try {
    return await open(path, flags, FILE_MODE);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    return await open(path, flags, FILE_MODE);
  }
}

async function writeWhole(path: string, content: Buffer | string | Readable): Promise<StoredObject> {
  const file = await open(path, 'wx', FILE_MODE);
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    const chunks = content instanceof Readable ? (content as AsyncIterable<Buffer | string>) : [content];
    for await (const chunk of chunks) {
      const buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      hash.update(buffer);
      await file.writeFile(buffer);
      bytes += buffer.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}

async function absentAsUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    switch (codeOf(error)) {
      case 'ENOSPC':
      case 'EDQUOT':
        throw new StoreError('STORE_FULL', 'The store has no room left: free some, or give it a larger place', {
          cause: error,
        });
      case 'EROFS':
      case 'EACCES':
      case 'EPERM':
        throw new StoreError('STORE_READ_ONLY', 'The store cannot be written by this user: check its owner and mode', {
          cause: error,
        });
      default:
        throw error;
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
