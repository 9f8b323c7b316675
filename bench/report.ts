import { inColumns } from '../src/cli/columns.js';
import { isMet, type Aim, type Findings } from './measurement.js';

/** What goes to stdout: one JSON document. */
export interface Report {
  version: 1;
  startedAt: string;
  machine: Record<string, unknown>;
  measurements: Record<string, { figures: Record<string, unknown>; aims: (Aim & { met: boolean })[] }>;
  /** Measurements that could not be made, and why. */
  failures: Record<string, string>;
}

export function toEntry({ figures, aims }: Findings): Report['measurements'][string] {
  return { figures, aims: aims.map((aim) => ({ ...aim, met: isMet(aim) })) };
}

/** The aims of all measurements as a table for people. */
export function aimsTable(report: Pick<Report, 'measurements' | 'failures'>): string {
  const rows = Object.entries(report.measurements).flatMap(([name, { aims }]) =>
    aims.map((aim) => [name, aim.what, numberOf(aim.value, aim.unit), boundOf(aim), aim.met ? 'met' : 'MISSED']),
  );
  const failed = Object.entries(report.failures).map(([name, why]) => [name, why, '', '', 'FAILED']);
  return inColumns([['measurement', 'what', 'measured', 'aim', ''], ...rows, ...failed]);
}

function boundOf({ atMost, atLeast, unit }: Aim): string {
  return atMost === undefined ? `≥ ${numberOf(atLeast ?? Number.NaN, unit)}` : `≤ ${numberOf(atMost, unit)}`;
}

function numberOf(value: number, unit: string): string {
  return `${String(value)} ${unit}`.trim();
}
