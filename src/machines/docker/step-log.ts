import type { LogEvent } from '../engine.js';

/** One message of the container's log: a line, or a piece of one that is longer than 16 KiB. */
export interface LogFrame {
  atMs: number;
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
      while (input.length - at >= 8) {
        const end = at + 8 + input.readUInt32BE(at + 4);
        if (end > input.length) break;
        frames.push(toFrame(input.subarray(at + 8, end)));
        at = end;
      }
      rest = input.subarray(at);
      return frames;
    },
  };
}

function toFrame(payload: Buffer): LogFrame {
  const space = payload.indexOf(0x20);
  return { atMs: Date.parse(payload.toString('latin1', 0, space)), bytes: payload.subarray(space + 1) };
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

const SEPARATOR = 0x1e;

export function createStepFilter(nonce: string, step: string): StepFilter {
  const prefix = Buffer.from(`\x1eholdfast:${nonce}:`);
  const terminator = Buffer.from('\x1e\n');
  const ours = `${step}:`;
  let phase: ReturnType<StepFilter['phase']> = 'before';
  let held: Buffer = Buffer.alloc(0);
  let lastAtMs = 0;

  function data(bytes: Buffer, atMs: number): LogEvent[] {
    const visible = phase === 'within' || phase === 'after';
    return visible && bytes.length > 0 ? [{ kind: 'data', bytes, atMs }] : [];
  }

  function marker(text: string, atMs: number): LogEvent[] {
    if (text === `${ours}start` && phase === 'before') {
      phase = 'within';
      return [{ kind: 'start', atMs }];
    }
    if (text === `${ours}end` && phase === 'within') {
      phase = 'after';
      return [{ kind: 'end', atMs }];
    }
    if (phase !== 'before') phase = 'over';
    return [];
  }

  return {
    push({ atMs, bytes }) {
      lastAtMs = atMs;
      let input = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      held = Buffer.alloc(0);
      const events: LogEvent[] = [];
      for (;;) {
        const at = input.indexOf(prefix);
        if (at === -1) break;
        const end = input.indexOf(terminator, at + prefix.length);
        events.push(...data(input.subarray(0, at), atMs));
        if (end === -1) {
          held = input.subarray(at);
          return events;
        }
        events.push(...marker(input.toString('utf8', at + prefix.length, end), atMs));
        input = input.subarray(end + terminator.length);
      }
      const keep = beginningOf(prefix, input);
      events.push(...data(input.subarray(0, input.length - keep), atMs));
      held = input.subarray(input.length - keep);
      return events;
    },
    flush() {
      const rest = held;
      held = Buffer.alloc(0);
      return data(rest, lastAtMs);
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
