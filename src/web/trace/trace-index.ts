import type { Store } from '../../store/store.js';
import { createLineParser, type LineParser } from './line-parser.js';
import { createSectionList } from './sections.js';
import { PLAIN, type TextStyle } from './style.js';

/** A place in the trace's bytes from which lines can be read: the begin of a line, and how text looks there. */
export interface Checkpoint {
  line: number;
  offset: number;
  style: TextStyle;
}

const LINES_BETWEEN = 100;
const BYTES_BETWEEN = 256 * 1024;

/** Where the lines of a growing trace are. A trace only ever grows, so what was read once stays true. */
export interface TraceIndex {
  /** Read so far. */
  bytes: number;
  readonly sections: ReturnType<typeof createSectionList>;
  /** Lines, the last one that is not ended yet included. */
  total(): number;
  /** The bytes in which the lines are. */
  around(from: number, count: number): { begin: Checkpoint; end: number };
  push(chunk: Buffer): void;
}

export function newIndex(): TraceIndex {
  const checkpoints: Checkpoint[] = [{ line: 0, offset: 0, style: PLAIN }];
  const sections = createSectionList();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let lines = 0;
  /** Of the chunk that is being read: where its next new line is. */
  let nextNewline: () => number = () => 0;
  const parser: LineParser = createLineParser({
    line: () => (lines += 1),
    mark: (mark) => sections.mark(mark, lines),
    newline: () => {
      const offset = nextNewline() + 1;
      const last = checkpoints.at(-1);
      if (last === undefined || lines - last.line >= LINES_BETWEEN || offset - last.offset >= BYTES_BETWEEN)
        checkpoints.push({ line: lines, offset, style: parser.style() });
    },
  });

  const index: TraceIndex = {
    bytes: 0,
    sections,
    total: () => lines + (parser.pending() === undefined ? 0 : 1),
    around(from, count) {
      const after = firstAfter(checkpoints, from);
      const begin = checkpoints[after - 1] ?? { line: 0, offset: 0, style: PLAIN };
      const end = checkpoints[firstAfter(checkpoints, from + count - 1)];
      return { begin, end: end?.offset ?? index.bytes };
    },
    push(chunk) {
      const begin = index.bytes;
      let at = -1;
      nextNewline = () => {
        at = chunk.indexOf(0x0a, at + 1);
        return begin + at;
      };
      parser.push(decoder.decode(chunk, { stream: true }));
      index.bytes += chunk.length;
    },
  };
  return index;
}

/** Reads what has come since the last time. */
export async function extendIndex(index: TraceIndex, store: Store, key: string): Promise<void> {
  const size = (await store.size(key)) ?? 0;
  if (size <= index.bytes) return;
  for await (const chunk of (await store.stream(key, { start: index.bytes, end: size })) ?? [])
    index.push(chunk as Buffer);
}

/** @returns index of the first checkpoint whose line is beyond `line` */
function firstAfter(checkpoints: readonly Checkpoint[], line: number): number {
  let low = 0;
  let high = checkpoints.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((checkpoints[middle]?.line ?? 0) > line) high = middle;
    else low = middle + 1;
  }
  return low;
}
