import { randomBytes } from 'node:crypto';
import { link, open, readdir, readFile, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFile } from '../files/sync.js';

/** Where a runner token lies, and how another takes its place so that no crash loses both. Several workers may share it. */
export interface TokenFile {
  /** @returns the token, and since when it has been there */
  read(): Promise<{ token: string; sinceMs: number }>;
  /**
   * Makes sure that a token can be kept, before one is asked for: the file is made beside the other and its space is taken.
   * @throws when it cannot
   */
  prepare(): Promise<Replacement>;
  /** Whether a worker, this one or another, has prepared to replace it, and may be about to. */
  isBeingReplaced(): Promise<boolean>;
  /** Puts in its place a token that a worker has written and then died. @returns whether there was one */
  recover(): Promise<boolean>;
}

export interface Replacement {
  /** The token is on the disk, and in its place, when this resolves. May be repeated after an error. */
  commit(token: string): Promise<void>;
  abandon(): Promise<void>;
}

/** Longer than any token. */
const RESERVED_BYTES = 4096;
/** A file with a token in it ends so; one that only has its space does not. */
const COMPLETE = /^(\S{8,})\n$/;
/** What a worker that lives still needs is younger: GitLab is waited for three minutes; of a disk that fails it speaks by itself. */
const ABANDONED_MS = 10 * 60_000;

export function createTokenFile(given: string): TokenFile {
  return {
    async read() {
      const [text, facts] = await Promise.all([readFile(given, 'utf8'), stat(given)]);
      return { token: text.trim(), sinceMs: facts.mtimeMs };
    },

    async prepare() {
      // What a link points to is replaced, not the link.
      const path = await realpath(given);
      const directory = dirname(path);
      const temporary = `${path}.${randomBytes(4).toString('hex')}.new`;
      const { mode, uid, gid } = await stat(path);
      await assureReplaceable(path);
      const file = await open(temporary, 'wx', mode & 0o777);
      try {
        const made = await file.stat();
        if (made.uid !== uid || made.gid !== gid) await file.chown(uid, gid);
        await file.write(Buffer.alloc(RESERVED_BYTES, ' '), 0, RESERVED_BYTES, 0);
        await file.sync();
        await syncFile(directory);
      } catch (error) {
        await discard(file, temporary);
        throw error;
      }
      let kept = false;
      return {
        async commit(token) {
          if (!kept) {
            // Over the space that is taken already: a full disk cannot refuse it.
            const bytes = Buffer.from(`${token}\n`);
            await file.write(bytes, 0, bytes.length, 0);
            await file.truncate(bytes.length);
            await file.sync();
            kept = true;
            await file.close();
          }
          await settle(temporary, path);
        },
        abandon: () => discard(file, temporary),
      };
    },

    async isBeingReplaced() {
      const found = await Promise.all((await replacementsOf(await realpath(given))).map(readWithTime));
      return found.some((one) => one !== undefined && !isAbandoned(one));
    },

    async recover() {
      const path = await realpath(given);
      const placed = await stat(path);
      let recovered = false;
      for (const temporary of await replacementsOf(path)) {
        const found = await readWithTime(temporary);
        if (found === undefined) continue;
        // One that is older than what stands there was replaced by a person.
        if (COMPLETE.test(found.text) && found.mtimeMs >= placed.mtimeMs) {
          await settle(temporary, path);
          recovered = true;
        } else if (isAbandoned(found)) {
          await rm(temporary, { force: true });
        }
      }
      return recovered;
    },
  };
}

/** Of a time to come it is where the clock was set back since. */
function isAbandoned({ mtimeMs }: { mtimeMs: number }): boolean {
  return Math.abs(Date.now() - mtimeMs) > ABANDONED_MS;
}

/** Files that are to take a token file's place. */
async function replacementsOf(path: string): Promise<string[]> {
  const directory = dirname(path);
  const ours = new RegExp(`^${escapeRegExp(basename(path))}\\.[0-9a-f]{8}\\.new$`);
  return (await readdir(directory)).filter((name) => ours.test(name)).map((name) => join(directory, name));
}

/** @returns undefined when it is gone by now */
async function readWithTime(path: string): Promise<{ text: string; mtimeMs: number } | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    return { text, mtimeMs };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function settle(temporary: string, path: string): Promise<void> {
  await rename(temporary, path).catch((error: unknown) => {
    // Another worker has found it complete and put it in its place.
    if (!isMissing(error)) throw error;
  });
  await syncFile(dirname(path));
}

/** A file that is mounted by itself (a secret of Compose, say) cannot be replaced, only written over; a hard link to it shows that. */
async function assureReplaceable(path: string): Promise<void> {
  const probe = `${path}.${randomBytes(4).toString('hex')}.probe`;
  try {
    await link(path, probe);
  } catch (error) {
    throw new Error(
      `${path} cannot be replaced where it is: mount its directory instead of the file (${String(error)})`,
      {
        cause: error,
      },
    );
  } finally {
    await rm(probe, { force: true });
  }
}

async function discard(file: FileHandle, temporary: string): Promise<void> {
  await file.close().catch(() => undefined);
  await rm(temporary, { force: true });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
