import { randomBytes } from 'node:crypto';
import type { Store } from '../store/store.js';

/** Seals what is at rest; the same keys as Temporal's payloads. */
interface Seal {
  seal(plain: Buffer): Buffer;
  open(sealed: Buffer): Buffer;
}

/**
 * What GitLab has handed over and no workflow has yet. An answer is in here, whole, sealed and flushed to disk, before anything
 * else is done with it, and goes when a workflow has it: so a crash at any point leaves either the entry or the workflow, and
 * whoever starts next goes on. Two that go on with one entry do no harm: the workflow's id fences them.
 */
export interface Spool {
  /** @returns the entry's key @throws StoreError */
  put(raw: Buffer): Promise<string>;
  /** Undefined when another has finished with it. @throws when it was not sealed with a key that we have */
  read(key: string): Promise<Buffer | undefined>;
  /** Oldest first. */
  list(): Promise<string[]>;
  remove(key: string): Promise<void>;
  /** It could not be passed on now: whoever looks next may go on with it. */
  leave(key: string): void;
}

/** @param entry name of the `gitlab[]` entry: its URL and token must be known to go on */
export function createSpool(store: Store, seal: Seal, entry: string, now: () => number = Date.now): Spool {
  const prefix = `spool/${entry}`;
  return {
    async put(raw) {
      const time = String(now()).padStart(15, '0');
      const key = `${prefix}/${time}-${randomBytes(6).toString('hex')}`;
      await store.write(key, seal.seal(raw));
      return key;
    },
    async read(key) {
      const sealed = await store.read(key);
      return sealed === undefined ? undefined : seal.open(sealed);
    },
    list: () => store.list(prefix),
    remove: (key) => store.remove(key),
    leave: () => undefined,
  };
}
