import type { Readable } from 'node:stream';

/**
 * Where Holdfast keeps what is too large for Temporal: traces, artifacts, metrics documents, caches.
 * Keys are `/`-separated; each segment is any non-empty text without `/` (the implementation escapes what its medium cannot hold).
 * Every write is whole or absent after a crash. Safe for several processes at once.
 */
export interface Store {
  /** How often to look whether something has grown: each look may be a request that somebody pays for. */
  readonly lookMs: number;
  /** How long to gather before the next write of something that grows, for the same reason; 0: not at all. */
  readonly writeMs: number;
  /** Whole content, or undefined when there is none. */
  read(key: string): Promise<Buffer | undefined>;
  /** A part of the content; undefined when there is no such key. `end` is exclusive. */
  stream(key: string, range?: { start?: number; end?: number }): Promise<Readable | undefined>;
  /** Replace atomically. */
  write(key: string, content: Buffer | string | Readable): Promise<StoredObject>;
  /**
   * Write at an offset of a growing object; the same call again changes nothing. Bytes below `offset` must exist already.
   * @throws StoreError STORE_GAP when `offset` is beyond the present end
   */
  writeAt(key: string, offset: number, bytes: Buffer): Promise<void>;
  /** What `writeAt` has written is there after a power failure, too. */
  persist(key: string): Promise<void>;
  /** What has grown will not grow any more: it is made durable, and quick to read. Harmless at any time. */
  settle(key: string): Promise<void>;
  /** Bytes, or undefined when there is no such key. */
  size(key: string): Promise<number | undefined>;
  /** All keys that begin with `prefix` (whole segments), in order. */
  list(prefix: string): Promise<string[]>;
  remove(key: string): Promise<void>;
  /** Write, read back, remove: for `holdfast check` and `/readyz`. @throws StoreError */
  probe(): Promise<void>;
}

export interface StoredObject {
  bytes: number;
  sha256: string;
}

export type StoreErrorCode = 'STORE_GAP' | 'STORE_FULL' | 'STORE_READ_ONLY' | 'STORE_UNREACHABLE' | 'STORE_BAD_KEY';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
