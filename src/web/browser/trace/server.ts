import type { TraceLine } from '../../trace/line-buffer.js';
import type { SearchResult, TraceState } from '../../trace/trace-state.js';

export type { SearchResult, TraceLine, TraceState };

/** What the page asks the server of a job's trace. @param job the id as in addresses, with a slash before it */
export interface TraceServer {
  /** @param bytes waits until there are more than these, or the trace is whole, or some time has passed */
  state(bytes?: number): Promise<TraceState>;
  lines(from: number, count: number): Promise<TraceLine[]>;
  search(text: string, signal: AbortSignal): Promise<SearchResult>;
}

export function createTraceServer(job: string): TraceServer {
  return {
    state: (bytes) => ask(`/data/trace${job}${bytes === undefined ? '' : `?wait=1&bytes=${String(bytes)}`}`),
    async lines(from, count) {
      const query = `from=${String(from)}&count=${String(count)}`;
      return (await ask<{ lines: TraceLine[] }>(`/data/lines${job}?${query}`)).lines;
    },
    search: (text, signal) => ask(`/data/search${job}?q=${encodeURIComponent(text)}`, signal),
  };
}

async function ask<T>(address: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(address, signal === undefined ? {} : { signal });
  if (!response.ok) throw new Error(`${address} answered ${String(response.status)}`);
  return (await response.json()) as T;
}
