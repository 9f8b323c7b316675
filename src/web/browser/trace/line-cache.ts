import type { TraceLine } from './server.js';

const BLOCK = 200;
const MAX_BLOCKS = 60;
/** Requests on their way; scrolling fast through a long trace asks for the places where one stops, not for all on the way. */
const MAX_LOADING = 4;
const TRY_AGAIN_MS = 1_000;

/** Lines as they are looked at, asked for in blocks; those of long ago are let go. */
export interface LineCache {
  /** Undefined: not here yet; `loaded` is called when it is. */
  get(line: number): TraceLine | undefined;
  /** Has the blocks with these lines loaded. */
  want(from: number, to: number): void;
  /** The trace has grown: its last block is no longer whole. */
  grown(lines: number): void;
}

export function createLineCache(options: {
  load: (from: number, count: number) => Promise<TraceLine[]>;
  loaded: () => void;
}): LineCache {
  const blocks = new Map<number, TraceLine[]>();
  const loading = new Set<number>();
  let total = 0;
  let version = 0;
  let wanted: number[] = [];

  function loadNext(): void {
    for (const block of wanted) {
      if (loading.size >= MAX_LOADING) return;
      if (isWhole(block) || loading.has(block)) continue;
      loading.add(block);
      void load(block);
    }
  }

  function isWhole(block: number): boolean {
    const lines = blocks.get(block);
    // The very last line may still be in the middle of being printed.
    return lines !== undefined && lines.length >= Math.min(BLOCK, total - block * BLOCK) && !stale.has(block);
  }

  const stale = new Set<number>();

  async function load(block: number): Promise<void> {
    const before = version;
    try {
      const lines = await options.load(block * BLOCK, BLOCK);
      blocks.delete(block);
      blocks.set(block, lines);
      if (version === before) stale.delete(block);
      const oldest: number | undefined = blocks.keys().next().value;
      if (blocks.size > MAX_BLOCKS && oldest !== undefined) blocks.delete(oldest);
      loading.delete(block);
      options.loaded();
      loadNext();
    } catch {
      // The server is away: asked again while anybody looks at these lines.
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
      loading.delete(block);
      loadNext();
    }
  }

  return {
    get: (line) => blocks.get(Math.floor(line / BLOCK))?.[line % BLOCK],
    want(from, to) {
      wanted = [];
      for (let block = Math.floor(from / BLOCK); block <= Math.floor(Math.max(from, to - 1) / BLOCK); block += 1)
        if (block * BLOCK < total) wanted.push(block);
      loadNext();
    },
    grown(lines) {
      const last = Math.floor(Math.max(0, total - 1) / BLOCK);
      if (blocks.has(last) || loading.has(last)) stale.add(last);
      version += 1;
      total = lines;
    },
  };
}
