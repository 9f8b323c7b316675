/** A stage of the trace: bytes in, bytes out, some held back until more is known. */
export interface ByteStage {
  push(chunk: Buffer): Buffer;
  /** The stream has ended: what was held back. */
  flush(): Buffer;
}

export const MASK = Buffer.from('[MASKED]');
const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Hides every byte of every occurrence of every phrase. Occurrences that share a byte become one `[MASKED]`; two that only touch
 * become two. The output does not depend on how the stream is cut: a byte is held back for as long as an occurrence that begins
 * before or at it may still be completed.
 *
 * GitLab's masker (gitlab-protocol section 4.3) stops at the first of two overlapping secrets and shows the rest of the second.
 * Time is linear in the stream for each phrase, whatever the stream holds.
 *
 * @param phrases values to hide; white space around them does not count, empty ones neither
 */
export function createPhraseMasker(phrases: readonly string[]): ByteStage {
  const needles = [...new Set(phrases.map((phrase) => phrase.trim()))]
    .filter((phrase) => phrase !== '')
    .map((phrase) => createNeedle(Buffer.from(phrase)));
  if (needles.length === 0) return { push: (chunk) => chunk, flush: () => EMPTY };
  let held: Buffer = EMPTY;
  /** How many bytes at the beginning of `held` belong to an occurrence whose mask is out already. */
  let covered = 0;

  function advance(input: Buffer, undecided: number): Buffer {
    const output: Buffer[] = [];
    let shown = covered;
    for (const found of occurrences(needles, input, undecided)) {
      if (found.start >= shown) {
        output.push(input.subarray(shown, found.start), MASK);
        shown = found.end;
      } else {
        shown = Math.max(shown, found.end);
      }
    }
    if (shown < undecided) output.push(input.subarray(shown, undecided));
    held = input.subarray(undecided);
    covered = Math.max(0, shown - undecided);
    return output.length === 1 ? (output[0] ?? EMPTY) : Buffer.concat(output);
  }

  return {
    push(chunk) {
      const input = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const pending = needles.map((needle) => needle.pendingAt(input));
      return advance(input, Math.min(input.length, ...pending));
    },
    flush: () => advance(held, held.length),
  };
}

interface Occurrence {
  start: number;
  end: number;
}

/** In order of their starts; only those that start before `before`, the others are found again when they are decided. */
function occurrences(needles: Needle[], input: Buffer, before: number): Occurrence[] {
  return needles
    .flatMap((needle) => needle.findAll(input).filter((found) => found.start < before))
    .sort((a, b) => a.start - b.start || b.end - a.end);
}

interface Needle {
  findAll(input: Buffer): Occurrence[];
  /** Where an occurrence begins that the end of the input cuts off, or Infinity. */
  pendingAt(input: Buffer): number;
}

/** Knuth-Morris-Pratt, entered through the engine's own fast search. */
function createNeedle(bytes: Buffer): Needle {
  const borders = bordersOf(bytes);

  function step(state: number, byte: number | undefined): number {
    let at = state === bytes.length ? (borders[state - 1] ?? 0) : state;
    while (at > 0 && bytes[at] !== byte) at = borders[at - 1] ?? 0;
    return bytes[at] === byte ? at + 1 : 0;
  }

  return {
    findAll(input) {
      const found: Occurrence[] = [];
      for (let start = input.indexOf(bytes); start !== -1;) {
        let at = start + bytes.length;
        found.push({ start, end: at });
        // Occurrences that overlap the one before, found without going back.
        for (let state = bytes.length; state > 0 && at < input.length;) {
          state = step(state, input[at]);
          at += 1;
          if (state === bytes.length) found.push({ start: at - bytes.length, end: at });
        }
        // No occurrence is half-way here, so the next one begins here or later.
        start = input.indexOf(bytes, at);
      }
      return found;
    },
    pendingAt(input) {
      let state = 0;
      for (let at = Math.max(0, input.length - bytes.length + 1); at < input.length; at++)
        state = step(state, input[at]);
      return state === 0 ? Infinity : input.length - state;
    },
  };
}

/** For each prefix the length of its longest proper prefix that is also its suffix. */
function bordersOf(bytes: Buffer): number[] {
  const borders = [0];
  for (let at = 1, length = 0; at < bytes.length; at++) {
    while (length > 0 && bytes[at] !== bytes[length]) length = borders[length - 1] ?? 0;
    if (bytes[at] === bytes[length]) length += 1;
    borders[at] = length;
  }
  return borders;
}
