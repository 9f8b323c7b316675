import { oneLine } from '../metrics/units.js';

/**
 * Rows of text as a table: each column as wide as its widest cell, two spaces between, no spaces at a line's end, and nothing in it
 * that would steer a terminal.
 * @param cells rows, of which the first has a cell for every column
 * @returns a line per row, without a newline at the end
 */
export function inColumns(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(oneLine));
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}
