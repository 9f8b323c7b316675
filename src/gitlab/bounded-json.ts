/**
 * JSON from outside, read at a bounded cost. The values are counted on the bytes first: what takes time and memory is not ten
 * megabytes of text but ten megabytes of brackets, and `JSON.parse` itself would block for seconds on them.
 */
export type BoundedJson =
  | { kind: 'json'; value: unknown }
  /** `head`: its topmost members with `null` for what is nested in them, as far as they could be read. */
  | { kind: 'tooLarge'; limit: string; head: unknown }
  | { kind: 'none'; problem: string };

export const MAX_JSON_BYTES = 16 * 1024 * 1024;
/** Ten thousand variables, more than GitLab takes, are 70,000. */
const MAX_JSON_VALUES = 250_000;
/** An id, a token, and what else may stand beside them. */
const MAX_HEAD_BYTES = 64 * 1024;

/** @param raw of `MAX_JSON_BYTES` or more: it may have been cut where it was read */
export function readBoundedJson(raw: Buffer): BoundedJson {
  if (raw.length >= MAX_JSON_BYTES) {
    return { kind: 'tooLarge', limit: `${String(MAX_JSON_BYTES / 1024 / 1024)} MiB`, head: headOf(raw) };
  }
  if (hasMoreValues(raw, MAX_JSON_VALUES)) {
    return { kind: 'tooLarge', limit: `${String(MAX_JSON_VALUES)} values`, head: headOf(raw) };
  }
  try {
    return { kind: 'json', value: JSON.parse(raw.toString('utf8')) };
  } catch (error) {
    // Its message quotes the text, which may hold secrets.
    return { kind: 'none', problem: error instanceof Error ? error.name : 'unknown fault' };
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Each list and object, and each further value in one: at least half of all that a parser would make. */
function hasMoreValues(raw: Buffer, limit: number): boolean {
  let values = 0;
  forEachMark(raw, (mark) => {
    if (mark === COMMA || mark === OPEN || mark === OPEN_LIST) values += 1;
    return values <= limit;
  });
  return values > limit;
}

function headOf(raw: Buffer): unknown {
  const head = Buffer.alloc(MAX_HEAD_BYTES);
  let length = 0;
  /** Of the head: where its last whole member ends. */
  let whole = 0;
  /** Of the raw text: up to where it was kept or left out. */
  let from = 0;
  let depth = 0;
  const keep = (to: number): boolean => {
    const fits = to - from < head.length - length;
    length += raw.copy(head, length, from, to);
    from = to;
    return fits;
  };
  forEachMark(raw, (mark, at) => {
    if (mark === OPEN || mark === OPEN_LIST) {
      depth += 1;
      if (depth !== 2) return true;
      const fits = keep(at);
      length += head.write('null', length);
      return fits;
    }
    // A comma or the end: a topmost member is whole.
    if (depth === 1) {
      if (!keep(at)) return false;
      whole = length;
    }
    if (mark === COMMA) return true;
    depth -= 1;
    if (depth === 1) from = at + 1;
    return depth > 0;
  });
  try {
    return JSON.parse(`${head.toString('utf8', 0, whole)}}`);
  } catch {
    return undefined;
  }
}

/** Brackets, braces and commas outside of texts. */
function forEachMark(raw: Buffer, visit: (mark: number, at: number) => boolean): void {
  let quoted = false;
  for (let at = 0; at < raw.length; at++) {
    const byte = raw[at];
    if (quoted) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) quoted = false;
    } else if (byte === QUOTE) quoted = true;
    else if (byte === COMMA || byte === OPEN || byte === CLOSE || byte === OPEN_LIST || byte === CLOSE_LIST) {
      if (!visit(byte, at)) return;
    }
  }
}
