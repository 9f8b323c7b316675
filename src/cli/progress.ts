/** One line on a terminal that is written over; nothing at all where there is none. */
export interface Progress {
  update(done: number, words: string): void;
  /** Takes the line away. */
  end(): void;
}

const BAR_COLUMNS = 24;

export function createProgress(
  stream: { isTTY?: boolean | undefined; columns?: number | undefined; write(text: string): unknown },
  total: number,
): Progress {
  if (stream.isTTY !== true || total === 0) return { update: () => undefined, end: () => undefined };
  return {
    update: (done, words) => void stream.write(`\r${progressLine(done, total, words, stream.columns ?? 80)}\u001b[K`),
    end: () => void stream.write('\r\u001b[K'),
  };
}

/** @returns e.g. `█████·····  50 of 100  stored 48, failed 2`, no longer than the terminal is wide */
export function progressLine(done: number, total: number, words: string, columns: number): string {
  const filled = Math.round((Math.min(done, total) / total) * BAR_COLUMNS);
  const bar = '█'.repeat(filled) + '·'.repeat(BAR_COLUMNS - filled);
  return `${bar}  ${String(done)} of ${String(total)}  ${words}`.slice(0, Math.max(0, columns - 1));
}
