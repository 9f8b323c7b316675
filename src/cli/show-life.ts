import type { JobFlight } from '../client.js';
import { lifeRows, type LifeRow } from '../client/life/life-rows.js';
import { oneLine } from '../metrics/units.js';

type Row = Omit<LifeRow, 'kind' | 'isBad'>;

const HEADINGS: Row = { at: 'AT', name: 'WHAT', about: '', took: 'TOOK', says: '' };
const MARKS: Record<LifeRow['kind'], string> = { event: '*', activity: '', attempt: '  ', trouble: '  ' };

/** The flight recorder for a terminal. */
export function describeLife(flight: Pick<JobFlight, 'queuedAt' | 'life'>): string {
  const rows = lifeRows(flight).map((row) => ({ ...row, name: MARKS[row.kind] + row.name }));
  return table([HEADINGS, ...rows]);
}

function table(rows: readonly Row[]): string {
  const columns = ['at', 'name', 'about', 'took'] as const;
  const widths = columns.map((column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) => {
      const [at = '', name = '', about = '', took = ''] = columns.map((column, index) => {
        const width = widths[index] ?? 0;
        return column === 'at' || column === 'took' ? row[column].padStart(width) : row[column].padEnd(width);
      });
      return `  ${at}  ${name}  ${about}  ${took}  ${oneLine(row.says)}`.trimEnd() + '\n';
    })
    .join('');
}
