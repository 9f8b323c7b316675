import type { LogEvent } from '../engine.js';

/** One message of the container's log: a line, or a piece of one that is longer than 16 KiB. */
export interface LogFrame {
  /** RFC 3339, as the engine wrote it; parsed only where it is needed, since a trace has millions of them. */
  time: Buffer;
  bytes: Buffer;
}

/**
 * Cuts the engine's multiplexed stream (8-byte headers, each payload a timestamp, a space and the bytes) into frames. Works over
 * any split of the stream.
 */
export function createFrameReader(): { push(chunk: Buffer): LogFrame[] } {
  let rest: Buffer = Buffer.alloc(0);
  return {
    push(chunk) {
      const input = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const frames: LogFrame[] = [];
      let at = 0;
      while (input.length - at >= HEADER_BYTES) {
        const start = at + HEADER_BYTES;
        const end = start + input.readUInt32BE(at + 4);
        if (end > input.length) break;
        const space = input.indexOf(0x20, start);
        frames.push({ time: input.subarray(start, space), bytes: input.subarray(space + 1, end) });
        at = end;
      }
      rest = input.subarray(at);
      return frames;
    },
  };
}

const HEADER_BYTES = 8;
const NEWLINE = 0x0a;
const SEPARATOR = 0x1e;

/** Pieces of a line that is longer than the engine's buffer come as frames of exactly this size. */
const PIECE_BYTES = 16 * 1024;

/**
 * Gives long lines their newline back. The `local` log driver of older engines (20.10) keeps the pieces of a line that is longer
 * than 16 KiB without the newline that ended it. A shorter piece after a full one ends the line, or the container's run, which was
 * killed in the middle of it: so the newline waits for what comes next, and goes unsaid when that is nothing, or another run.
 *
 * Engines that keep the newline are not touched: their last piece ends with it.
 */
export function createLineMender(nonce: string): { push(bytes: Buffer): Buffer[] } {
  const prefix = markerPrefix(nonce);
  let inLongLine = false;
  let owed = false;
  return {
    push(bytes) {
      const result: Buffer[] = [];
      if (owed && !beginsRun(bytes, prefix)) result.push(Buffer.of(NEWLINE));
      owed = false;
      const isPiece = bytes.at(-1) !== NEWLINE;
      const isFull = isPiece && bytes.length === PIECE_BYTES;
      if (isPiece && !isFull && inLongLine) owed = true;
      inLongLine = isFull;
      result.push(bytes);
      return result;
    },
  };
}

/** Every run of a container begins with the start marker of its step. */
function beginsRun(bytes: Buffer, prefix: Buffer): boolean {
  if (!bytes.subarray(0, prefix.length).equals(prefix)) return false;
  const end = bytes.indexOf(SEPARATOR, prefix.length);
  return end !== -1 && bytes.toString('utf8', prefix.length, end).endsWith(':start');
}

export function markerPrefix(nonce: string): Buffer {
  return Buffer.from(`\x1eholdfast:${nonce}:`);
}

/**
 * Finds one step in the log of a container that ran several. The markers are unguessable (they hold the machine's nonce), so no
 * output can look like one; they may stand anywhere in a line and may be split over frames.
 */
export interface StepFilter {
  push(frame: LogFrame): LogEvent[];
  /** What was held back as the possible beginning of a marker; the log has ended. */
  flush(): LogEvent[];
  /** `before` the step, `within` it, `after` its end marker (late output still belongs to it), `over` once the next step began. */
  phase(): 'before' | 'within' | 'after' | 'over';
}

export function createStepFilter(nonce: string, step: string): StepFilter {
  const prefix = markerPrefix(nonce);
  const mender = createLineMender(nonce);
  const ours = `${step}:`;
  let phase: ReturnType<StepFilter['phase']> = 'before';
  let held: Buffer = Buffer.alloc(0);
  let afterMarker = false;

  function data(bytes: Buffer): LogEvent[] {
    const visible = phase === 'within' || phase === 'after';
    return visible && bytes.length > 0 ? [{ kind: 'data', bytes }] : [];
  }

  function marker(text: string, atMs: number): LogEvent[] {
    if (text === `${ours}start` && phase === 'before') {
      phase = 'within';
      return [{ kind: 'start', atMs }];
    }
    if (text.startsWith(`${ours}end`) && phase === 'within') {
      phase = 'after';
      return [{ kind: 'end', atMs }];
    }
    if (phase !== 'before') phase = 'over';
    return [];
  }

  /** The newline after a marker is the marker's own; it may come with the next bytes, or never (the run was killed there). */
  function withoutMarkersNewline(input: Buffer): Buffer {
    if (!afterMarker || input.length === 0) return input;
    afterMarker = false;
    return input[0] === NEWLINE ? input.subarray(1) : input;
  }

  function read(bytes: Buffer, time: Buffer): LogEvent[] {
    let input = withoutMarkersNewline(held.length === 0 ? bytes : Buffer.concat([held, bytes]));
    held = Buffer.alloc(0);
    const events: LogEvent[] = [];
    for (let at = input.indexOf(prefix); at !== -1; at = input.indexOf(prefix)) {
      events.push(...data(input.subarray(0, at)));
      const end = input.indexOf(SEPARATOR, at + prefix.length);
      if (end === -1) {
        held = input.subarray(at);
        return events;
      }
      events.push(...marker(input.toString('utf8', at + prefix.length, end), Date.parse(time.toString('latin1'))));
      afterMarker = true;
      input = withoutMarkersNewline(input.subarray(end + 1));
    }
    const keep = beginningOf(prefix, input);
    events.push(...data(input.subarray(0, input.length - keep)));
    held = input.subarray(input.length - keep);
    return events;
  }

  return {
    push: ({ time, bytes }) => mender.push(bytes).flatMap((mended) => read(mended, time)),
    flush() {
      const rest = held;
      held = Buffer.alloc(0);
      return data(rest);
    },
    phase: () => phase,
  };
}

/** How many bytes at the end of `input` could be the beginning of `prefix`. */
function beginningOf(prefix: Buffer, input: Buffer): number {
  const from = Math.max(0, input.length - prefix.length + 1);
  for (let at = input.indexOf(SEPARATOR, from); at !== -1; at = input.indexOf(SEPARATOR, at + 1)) {
    if (prefix.subarray(0, input.length - at).equals(input.subarray(at))) return input.length - at;
  }
  return 0;
}
