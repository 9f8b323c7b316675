import { MAX_CHUNK_BYTES, type JobApi } from './client.js';
import type { Said, Unavailable } from './outcomes.js';

/** A growing log whose bytes never change: whoever reads it again at an offset gets the same ones. */
export interface TraceSource {
  size(): Promise<number>;
  /** Exactly the bytes from `start` to `end` (exclusive), or fewer when it ends before. */
  read(start: number, end: number): Promise<Buffer>;
}

/** Over a line that carries 35 KB/s a chunk of 1 MiB just gets through in the time of a request. */
const MIN_CHUNK_BYTES = 64 * 1024;
/** So many got through one after another, and a larger one may, too. */
const CALM_CHUNKS = 8;

export type SendOutcome =
  /** Nothing new to send. */
  | { kind: 'idle' }
  | ({ kind: 'sent'; bytes: number } & Said)
  /** The server's log ends elsewhere than we thought; the next send begins there. */
  | { kind: 'realigned'; jobStatus?: string }
  | { kind: 'refused'; jobStatus: string | null }
  | { kind: 'unknown'; jobStatus?: string }
  | Unavailable;

/**
 * Sends a log by offset. It holds one number, the server's end of the log, and whatever happens to a request, the server's
 * next answer puts that number right: so a lost answer, a repeated chunk or another sender beside this one neither doubles
 * nor loses a byte (gitlab-protocol section 1.6).
 */
export interface TraceSender {
  readonly offset: number;
  /** One chunk of at most 1 MiB; of less while larger ones do not get through. */
  send(source: TraceSource, signal?: AbortSignal): Promise<SendOutcome>;
  /** The server has thrown the log away, or says that it differs: from the beginning. */
  restart(): void;
  /**
   * Before the log counts as complete: a starting offset was only a hint, and where it leaves nothing to send, the server has
   * never been asked. Its last byte once more asks: 202 when it is there, else 416 with the true end.
   */
  checkEnd(bytes: number): void;
}

export function createTraceSender(job: Pick<JobApi, 'patchTrace'>, startOffset = 0): TraceSender {
  let offset = startOffset;
  let confirmed = startOffset === 0;
  let chunkBytes = MAX_CHUNK_BYTES;
  let inTime = 0;

  return {
    get offset() {
      return offset;
    },
    restart() {
      offset = 0;
    },
    checkEnd(bytes) {
      if (!confirmed && offset >= bytes) offset = Math.max(0, bytes - 1);
    },
    async send(source, signal) {
      const size = await source.size();
      // A server that has more than we: what it waits for is not written yet (or never will be).
      if (size <= offset) return { kind: 'idle' };
      const bytes = await source.read(offset, Math.min(size, offset + chunkBytes));
      if (bytes.length === 0) return { kind: 'idle' };
      const outcome = await job.patchTrace({ offset, bytes }, signal);
      switch (outcome.kind) {
        case 'accepted':
          offset += bytes.length;
          confirmed = true;
          if (++inTime >= CALM_CHUNKS) chunkBytes = Math.min(MAX_CHUNK_BYTES, 2 * chunkBytes);
          return { ...outcome, kind: 'sent', bytes: bytes.length };
        case 'misplaced': {
          const { size: end, jobStatus } = outcome;
          const status = jobStatus === undefined ? {} : { jobStatus };
          if (end === null || end === offset) {
            return { kind: 'unavailable', reason: '416 without a usable Range', answered: true, ...status };
          }
          offset = end;
          confirmed = true;
          return { kind: 'realigned', ...status };
        }
        case 'unavailable':
          // Over a slow line the same again would break off at the same time.
          if (outcome.timedOut === true) {
            chunkBytes = Math.max(MIN_CHUNK_BYTES, chunkBytes / 2);
            inTime = 0;
          }
          return outcome;
        default:
          return outcome;
      }
    },
  };
}
