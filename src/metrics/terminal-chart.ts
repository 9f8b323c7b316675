import { plot } from 'asciichart';
import type { MetricsDocument } from './document.js';

export interface ChartOptions {
  /** Columns of the terminal. */
  width: number;
  /** Without a terminal: a line of numbers for each query instead of a picture. */
  tty: boolean;
}

const HEIGHT = 8;
/** What the axis takes of the width. */
const AXIS_COLUMNS = 14;

const UNITS: Record<string, (value: number) => string> = {
  cpu: (value) => `${value.toFixed(2)} cores`,
  memory: bytes,
  network_receive: (value) => `${bytes(value)}/s`,
  network_transmit: (value) => `${bytes(value)}/s`,
  disk_read: (value) => `${bytes(value)}/s`,
  disk_write: (value) => `${bytes(value)}/s`,
};

/** The job's graphs as text. @param only names of queries; default all */
export function renderMetrics(document: MetricsDocument, options: ChartOptions, only?: readonly string[]): string {
  if (document.outcome === 'no_samples') {
    return 'Prometheus has no samples of this machine: the job may have been shorter than a scrape interval.\n';
  }
  const graphs = [...new Set(document.series.map((series) => series.query))]
    .filter((query) => only === undefined || only.includes(query))
    .map((query) => renderQuery(document, query, options));
  return `${graphs.join('\n')}\n${renderStages(document, options)}${renderSkipped(document)}`;
}

function renderQuery(document: MetricsDocument, query: string, options: ChartOptions): string {
  const values = document.series
    .filter((series) => series.query === query)
    .flatMap((series) => series.values.map(([, value]) => Number(value)));
  const finite = values.filter(Number.isFinite);
  const unit = UNITS[query] ?? ((value: number) => String(Number(value.toPrecision(4))));
  const peak = Math.max(0, ...finite);
  const mean = finite.reduce((sum, value) => sum + value, 0) / Math.max(1, finite.length);
  const head = `${query}: peak ${unit(peak)}, mean ${unit(mean)}\n`;
  if (!options.tty || finite.length < 2) return head;
  const columns = Math.max(10, options.width - AXIS_COLUMNS);
  return `${head}${plot(resample(finite, columns), {
    height: HEIGHT,
    min: 0,
    format: (value) => unit(value).padStart(AXIS_COLUMNS - 2),
  })}\n`;
}

/** One value a column: the highest of those that fall on it, so that no peak is lost; narrow data is stretched. */
function resample(values: number[], columns: number): number[] {
  return Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * values.length) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * values.length) / columns));
    return Math.max(...values.slice(from, to));
  });
}

function renderStages(document: MetricsDocument, options: ChartOptions): string {
  if (document.stages.length === 0) return '';
  const { startMs, endMs } = document.window;
  const columns = Math.max(10, options.width - AXIS_COLUMNS - 20);
  const lines = document.stages.map((stage) => {
    const duration = `${((stage.finishedAtMs - stage.startedAtMs) / 1000).toFixed(1)} s`;
    if (!options.tty) return `  ${stage.name}: ${duration}`;
    const at = (ms: number) =>
      Math.min(columns, Math.max(0, Math.round(((ms - startMs) / Math.max(1, endMs - startMs)) * columns)));
    const from = at(stage.startedAtMs);
    const length = Math.max(1, at(stage.finishedAtMs) - from);
    return `  ${stage.name.padEnd(AXIS_COLUMNS + 4)}${' '.repeat(from)}${'━'.repeat(length)} ${duration}`;
  });
  return `stages\n${lines.join('\n')}\n`;
}

function renderSkipped(document: MetricsDocument): string {
  return document.skipped.map(({ query, reason }) => `${query} was skipped: ${reason}\n`).join('');
}

function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = value;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) [scaled, unit] = [scaled / 1024, unit + 1];
  return `${scaled.toFixed(unit === 0 ? 0 : 1)} ${units[unit] ?? ''}`;
}
