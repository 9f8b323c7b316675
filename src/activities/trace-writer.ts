import { EventEmitter, once } from 'node:events';
import type { Store } from '../store/store.js';

/** More than this is not held in memory: whoever writes waits. */
const MAX_PENDING_BYTES = 1024 * 1024;

/**
 * Appends to a growing object in the store. What comes while a write is under way goes with the next one, so a slow store gets
 * few large writes and a fast one gets each line at once.
 */
export interface TraceWriter {
  /** Aborts with the error of a write that failed, also while nobody writes. */
  readonly failed: AbortSignal;
  /** Returns at once unless too much is pending. @throws what an earlier write met */
  write(bytes: Buffer): Promise<void>;
  /** Everything is in the store. @returns where it ends @throws as `write` */
  close(): Promise<number>;
  /** What is pending is dropped; returns when no write is under way any more. Never throws; harmless after `close`. */
  abandon(): Promise<void>;
}

/** @param options.grown told after each write */
export function createTraceWriter(options: {
  store: Pick<Store, 'writeAt' | 'writeMs'>;
  key: string;
  offset: number;
  grown: () => void;
}): TraceWriter {
  const { store, key, grown } = options;
  const failing = new AbortController();
  const events = new EventEmitter<{ wrote: []; hurry: [] }>();
  let { offset } = options;
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let closing = false;
  let writing: Promise<void> | undefined;

  function drop(): void {
    pending = [];
    pendingBytes = 0;
  }

  async function writeAll(): Promise<void> {
    while (pendingBytes > 0) {
      const bytes = Buffer.concat(pending);
      drop();
      await store.writeAt(key, offset, bytes);
      offset += bytes.length;
      grown();
      events.emit('wrote');
      await pause();
    }
  }

  /** Of a store whose writes are dear; not when somebody waits for the next one. */
  async function pause(): Promise<void> {
    if (store.writeMs === 0 || closing || pendingBytes > MAX_PENDING_BYTES) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, store.writeMs);
      events.once('hurry', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    events.removeAllListeners('hurry');
  }

  function start(): void {
    writing ??= writeAll()
      .catch((error: unknown) => failing.abort(error))
      .finally(() => {
        writing = undefined;
        // It may have come between the last look and here.
        if (pendingBytes > 0 && !failing.signal.aborted) start();
        events.emit('wrote');
      });
  }

  async function untilWritten(): Promise<void> {
    closing = true;
    events.emit('hurry');
    while (writing !== undefined) await writing;
  }

  return {
    failed: failing.signal,
    async write(bytes) {
      failing.signal.throwIfAborted();
      if (bytes.length === 0) return;
      pending.push(bytes);
      pendingBytes += bytes.length;
      start();
      while (pendingBytes > MAX_PENDING_BYTES && writing !== undefined) {
        const wrote = once(events, 'wrote');
        events.emit('hurry');
        await wrote;
      }
      failing.signal.throwIfAborted();
    },
    async close() {
      await untilWritten();
      failing.signal.throwIfAborted();
      return offset;
    },
    async abandon() {
      drop();
      await untilWritten();
    },
  };
}
