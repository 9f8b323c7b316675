/** Eighths of a cell, from nothing to full. */
const BLOCKS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

export interface ChartPoint {
  atMs: number;
  value: number;
}

/**
 * One value a column of the window. Of several points the highest counts, so that no peak is lost; a point stands for the step
 * before it, so that few of them make steps and not a comb; where nothing was measured the column is undefined: a gap is shown
 * as a gap.
 */
export function toColumns(
  points: readonly ChartPoint[],
  window: { startMs: number; endMs: number },
  { columns, stepMs }: { columns: number; stepMs: number },
): (number | undefined)[] {
  const result = new Array<number | undefined>(columns).fill(undefined);
  const widthMs = Math.max(1, window.endMs - window.startMs) / columns;
  const column = (ms: number) => Math.min(columns - 1, Math.max(0, Math.floor((ms - window.startMs) / widthMs)));
  for (const { atMs, value } of points) {
    const last = column(atMs - 1);
    for (let at = column(atMs - stepMs); at <= last; at += 1) result[at] = Math.max(result[at] ?? -Infinity, value);
  }
  return result;
}

/**
 * A filled chart from zero, or from the lowest value where that is below it; its scale ends at the highest.
 * @returns its lines from the top, axis and plot apart so that they can be coloured apart
 */
export function drawChart(
  values: readonly (number | undefined)[],
  options: { height: number; axisColumns: number; format: (value: number) => string },
): { axis: string; plot: string }[] {
  const { height, axisColumns, format } = options;
  const top = values.reduce<number>((highest, value) => Math.max(highest, value ?? 0), 0);
  const bottom = values.reduce<number>((lowest, value) => Math.min(lowest, value ?? 0), 0);
  const eighths = values.map((value) => toEighths(value, { bottom, top }, height));
  return Array.from({ length: height }, (_, row) => {
    const below = (height - 1 - row) * 8;
    const label = row === 0 ? format(top) : row === height - 1 ? format(bottom) : '';
    const plot = eighths.map((filled) => BLOCKS[Math.min(8, Math.max(0, filled - below))] ?? ' ').join('');
    return { axis: `${label.slice(0, axisColumns - 2).padStart(axisColumns - 2)} ${label === '' ? '│' : '┤'}`, plot };
  });
}

/** What was measured shows at least as a line on the ground; what was not stays empty. */
function toEighths(
  value: number | undefined,
  { bottom, top }: { bottom: number; top: number },
  height: number,
): number {
  if (value === undefined) return 0;
  return top <= bottom ? 1 : Math.max(1, Math.round(((value - bottom) / (top - bottom)) * height * 8));
}
