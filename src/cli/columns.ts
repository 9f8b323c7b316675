/**
 * Rows of text as a table: each column as wide as its widest cell, two spaces between, no spaces at a line's end.
 * @param rows the first has a cell for every column
 * @returns a line per row, without a newline at the end
 */
export function inColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}
