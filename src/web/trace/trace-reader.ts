import { jobKeys } from '../../store/keys.js';
import type { Store } from '../../store/store.js';
import type { TraceLine } from './line-buffer.js';
import { createLineParser } from './line-parser.js';
import { extendIndex, newIndex, type TraceIndex } from './trace-index.js';
import type { SearchResult, TraceState } from './trace-state.js';

/** Traces as lines, read from the store by ranges of bytes. Each trace is gone through once, and remembered. */
export interface TraceReader {
  state(workflowId: string): Promise<TraceState>;
  /** @param from first line, from 0 */
  lines(workflowId: string, from: number, count: number): Promise<TraceLine[]>;
  /** @param text in any case */
  search(workflowId: string, text: string, signal: AbortSignal): Promise<SearchResult>;
}

const ignore = () => undefined;
const MAX_KEPT = 50;
const MAX_HITS = 2_000;

export function createTraceReader(store: Store): TraceReader {
  const indexes = new Map<string, TraceIndex>();
  /** One at a time goes through a trace. */
  const extending = new Map<string, Promise<TraceIndex>>();

  /** Reads up to the present end, also where another request is just reading: that one may have begun before the last bytes came. */
  async function indexOf(workflowId: string): Promise<TraceIndex> {
    const before = extending.get(workflowId);
    const work = (before === undefined ? Promise.resolve() : before.then(ignore, ignore)).then(() =>
      extend(workflowId),
    );
    extending.set(workflowId, work);
    try {
      return await work;
    } finally {
      if (extending.get(workflowId) === work) extending.delete(workflowId);
    }
  }

  async function extend(workflowId: string): Promise<TraceIndex> {
    const index = indexes.get(workflowId) ?? newIndex();
    indexes.delete(workflowId);
    if (indexes.size >= MAX_KEPT) indexes.delete(indexes.keys().next().value ?? '');
    try {
      await extendIndex(index, store, jobKeys.trace(workflowId));
      indexes.set(workflowId, index);
      return index;
    } catch (error) {
      // Read in part: begun anew the next time.
      indexes.delete(workflowId);
      throw error;
    }
  }

  return {
    async state(workflowId) {
      // Asked before reading: what is there after the end was announced is all there is.
      const complete = (await store.size(jobKeys.traceComplete(workflowId))) !== undefined;
      const index = await indexOf(workflowId);
      return { bytes: index.bytes, lines: index.total(), complete, sections: index.sections.all };
    },
    async lines(workflowId, from, count) {
      const index = await indexOf(workflowId);
      const { begin, end } = index.around(from, count);
      const found: TraceLine[] = [];
      let line = begin.line;
      const parser = createLineParser(
        {
          line(content) {
            if (line >= from && line < from + count) found.push(content);
            line += 1;
          },
          mark: () => undefined,
          newline: () => undefined,
        },
        begin.style,
      );
      for await (const text of decoded(store, jobKeys.trace(workflowId), begin.offset, end)) {
        parser.push(text);
        if (line >= from + count) return found;
      }
      const last = parser.pending();
      if (last !== undefined && line >= from && line < from + count) found.push(last);
      return found;
    },
    async search(workflowId, text, signal) {
      const index = await indexOf(workflowId);
      const wanted = text.toLowerCase();
      const hits: number[] = [];
      let line = 0;
      const look = ({ spans }: TraceLine) => {
        const content = spans.map(([part]) => part).join('');
        if (hits.length <= MAX_HITS && content.toLowerCase().includes(wanted)) hits.push(line);
        line += 1;
      };
      const parser = createLineParser({ line: look, mark: () => undefined, newline: () => undefined });
      for await (const part of decoded(store, jobKeys.trace(workflowId), 0, index.bytes)) {
        signal.throwIfAborted();
        parser.push(part);
        if (hits.length > MAX_HITS) break;
      }
      const last = parser.pending();
      if (last !== undefined) look(last);
      return { lines: hits.slice(0, MAX_HITS), more: hits.length > MAX_HITS };
    },
  };
}

async function* decoded(
  store: Store,
  key: string,
  start: number,
  end: number,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  for await (const chunk of (await store.stream(key, { start, end })) ?? [])
    yield decoder.decode(chunk as Buffer, { stream: true });
  // Half a character at the end waits for its other half.
}
