/** Lines `start` to `end` (exclusive) that a closed section hides. */
export interface HiddenRange {
  start: number;
  end: number;
}

/** Which line stands in which row when parts are hidden. */
export interface RowMap {
  readonly rows: number;
  lineOf(row: number): number;
  /** Of a hidden line: the row of the title above it. */
  rowOf(line: number): number;
}

/** @param hidden in any order, overlapping or not */
export function createRowMap(lines: number, hidden: readonly HiddenRange[]): RowMap {
  const ranges = merge(lines, hidden);
  // How many lines are hidden before each range.
  const before: number[] = [];
  let total = 0;
  for (const { start, end } of ranges) {
    before.push(total);
    total += end - start;
  }
  return {
    rows: lines - total,
    lineOf(row) {
      const at = lastIndex(ranges, (range, index) => range.start - (before[index] ?? 0) <= row);
      const range = ranges[at];
      return range === undefined ? row : row + (before[at] ?? 0) + range.end - range.start;
    },
    rowOf(line) {
      const at = lastIndex(ranges, (range) => range.start <= line);
      const range = ranges[at];
      if (range === undefined) return line;
      const skipped = before[at] ?? 0;
      return line < range.end ? Math.max(0, range.start - 1 - skipped) : line - skipped - (range.end - range.start);
    },
  };
}

function merge(lines: number, hidden: readonly HiddenRange[]): HiddenRange[] {
  const merged: HiddenRange[] = [];
  for (const { start, end } of [...hidden].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    const range = { start: Math.max(0, start), end: Math.min(lines, end) };
    if (range.end <= range.start) continue;
    if (last !== undefined && range.start <= last.end) last.end = Math.max(last.end, range.end);
    else merged.push(range);
  }
  return merged;
}

/** Of a list for whose beginning the condition holds: the last index where it does, or -1. */
function lastIndex<T>(list: readonly T[], holds: (entry: T, index: number) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = list[middle];
    if (entry !== undefined && holds(entry, middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
