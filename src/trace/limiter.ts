/** What is kept of the end of a trace that is too long. */
export const TAIL_BYTES = 64 * 1024;

/**
 * Head and tail of a trace: everything up to the limit, then the last 64 KiB, with a line between that says how much is missing.
 * GitLab's runner drops the end, where the error usually is.
 */
export interface Limiter {
  /** @returns what still goes to the head */
  push(chunk: Buffer): Buffer;
  state(): LimiterState;
}

export interface LimiterState {
  limitBytes: number;
  /** Bytes that went to the head. */
  headBytes: number;
  /** Bytes that came after the head; the last of them are in `tail`. */
  afterHeadBytes: number;
  tail: Buffer;
  /** True: more came after the head than `afterHeadBytes` says, and nobody knows how much (its part was cut off). */
  lost?: true;
}

/** What the cut at a whole character may leave of the room for the head. */
const UNUSED_ROOM_BYTES = 3;

/** @returns whether a head of so many bytes may have taken all that the limit leaves it */
export function isFull(headBytes: number, limitBytes: number): boolean {
  return headBytes >= limitBytes - UNUSED_ROOM_BYTES;
}

/** @param state of the part before; a trace begins without one */
export function createLimiter(options: {
  limitBytes: number;
  state?: Pick<LimiterState, 'headBytes'> & Partial<LimiterState>;
}): Limiter {
  let headBytes = options.state?.headBytes ?? 0;
  let afterHeadBytes = options.state?.afterHeadBytes ?? 0;
  let tail: Buffer = options.state?.tail ?? Buffer.alloc(0);
  const lost = options.state?.lost === true;

  return {
    push(chunk) {
      const room = afterHeadBytes > 0 || lost ? 0 : Math.max(0, options.limitBytes - headBytes);
      const cut = chunk.length <= room ? chunk.length : wholeCharacters(chunk, room);
      const head = chunk.subarray(0, cut);
      const rest = chunk.subarray(cut);
      headBytes += head.length;
      afterHeadBytes += rest.length;
      if (rest.length > 0) tail = lastBytes(tail, rest);
      return head;
    },
    state: () => ({ limitBytes: options.limitBytes, headBytes, afterHeadBytes, tail, ...(lost ? { lost } : {}) }),
  };
}

/** What ends the trace: nothing; the tail, when nothing is missing between; or a notice and the tail. */
export function renderTail(state: LimiterState): Buffer {
  const whole = state.afterHeadBytes <= state.tail.length && state.lost !== true;
  const tail = whole ? state.tail : state.tail.subarray(firstWholeCharacter(state.tail));
  const omitted = state.afterHeadBytes - tail.length;
  if (omitted === 0 && state.lost !== true) return tail;
  const bytes = state.lost === true ? `At least ${String(omitted)}` : String(omitted);
  const notice =
    `\n\x1b[33;1mJob's log exceeded limit of ${String(state.limitBytes)} bytes. ` +
    `${bytes} bytes were left out here; the last ${String(tail.length)} follow.\x1b[0;m\n`;
  return Buffer.concat([Buffer.from(notice), tail]);
}

export function serializeLimiterState(state: LimiterState): string {
  return JSON.stringify({ ...state, tail: state.tail.toString('base64') });
}

/** @throws Error when the text is not what `serializeLimiterState` wrote */
export function parseLimiterState(text: string): LimiterState {
  const value = JSON.parse(text) as Record<keyof LimiterState, unknown>;
  const { limitBytes, headBytes, afterHeadBytes, tail, lost } = value;
  if (![limitBytes, headBytes, afterHeadBytes].every(Number.isSafeInteger) || typeof tail !== 'string') {
    throw new Error('The saved state of the trace limit is damaged');
  }
  return {
    limitBytes: limitBytes as number,
    headBytes: headBytes as number,
    afterHeadBytes: afterHeadBytes as number,
    tail: Buffer.from(tail, 'base64'),
    ...(lost === true ? { lost } : {}),
  };
}

function lastBytes(tail: Buffer, added: Buffer): Buffer {
  if (added.length >= TAIL_BYTES) return Buffer.from(added.subarray(added.length - TAIL_BYTES));
  const kept = tail.subarray(Math.max(0, tail.length + added.length - TAIL_BYTES));
  return Buffer.concat([kept, added]);
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** The largest cut at or below `at` that splits no UTF-8 character (of valid UTF-8: at most three bytes back). */
function wholeCharacters(bytes: Buffer, at: number): number {
  for (let cut = at; cut > Math.max(0, at - 4); cut--) if (!isContinuation(bytes[cut])) return cut;
  return at;
}

function firstWholeCharacter(bytes: Buffer): number {
  for (let at = 0; at < Math.min(4, bytes.length); at++) if (!isContinuation(bytes[at])) return at;
  return 0;
}
