import { pointsOf, type MachineTotals, type MetricsDocument } from './document.js';
import { drawChart, toColumns } from './block-chart.js';
import { shortcomingsOf } from './shortcomings.js';
import { formatBytes, formatterOf, oneLine } from './units.js';
import { parseValue } from './values.js';

export interface ChartOptions {
  /** Columns of the terminal. */
  width: number;
  /** Without a terminal, or with one too narrow for a picture: a line of numbers for each query, as long as it is. */
  tty: boolean;
  /** ANSI colours; default none. */
  color?: boolean;
}

const HEIGHT = 6;
/** What axis and its label take of the width. */
const AXIS_COLUMNS = 14;
/** Beyond it a graph is no clearer, only wider. */
const MOST_COLUMNS = 160;
/** With fewer columns beside the axis there is nothing to be seen. */
const LEAST_COLUMNS = 10;
const NAME_COLUMNS = 20;
const COLORS = ['36', '33', '32', '35', '34', '31'];

/** The job's graphs as text, one under another on the same axis of time. @param only names of queries; default all */
export function renderMetrics(document: MetricsDocument, given: ChartOptions, only?: readonly string[]): string {
  const options = { ...given, tty: given.tty && given.width >= AXIS_COLUMNS + LEAST_COLUMNS };
  const wanted = Object.keys(document.queries).filter((query) => only === undefined || only.includes(query));
  const skipped = document.skipped.map(({ query, reason }) =>
    lines(`${oneLine(query)} was skipped: ${oneLine(reason)}`, options),
  );
  if (document.outcome === 'no_samples') {
    const words = `Prometheus has no samples of machine ${oneLine(document.machine)}: the job was shorter than a scrape interval, its retention has passed, or it does not scrape the worker.`;
    return `${lines(words, options)}${skipped.join('')}`;
  }
  const graphs = wanted
    .filter((query) => document.series.some((series) => series.query === query && series.values.length > 0))
    .map((query, index) => renderQuery(document, query, options, COLORS[index % COLORS.length] ?? '36'));
  const shortcomings = shortcomingsOf(document).map((words) => lines(words, options));
  const gap = options.tty ? '\n' : '';
  return [...graphs, renderStages(document, options), ...shortcomings, ...skipped]
    .filter((part) => part !== '')
    .join(gap);
}

function renderQuery(document: MetricsDocument, query: string, options: ChartOptions, color: string): string {
  const points = pointsOf(document, query)
    .map(([time, value]) => ({ atMs: time * 1000, value: parseValue(value) }))
    .filter(({ value }) => Number.isFinite(value));
  const format = formatterOf(query);
  if (points.length === 0) return lines(`${oneLine(query)}: no finite values`, options);
  const peak = points.reduce((highest, { value }) => Math.max(highest, value), -Infinity);
  const mean = points.reduce((sum, { value }) => sum + value, 0) / points.length;
  const words = `${oneLine(query)}: peak ${format(peak)}, mean ${format(mean)}${totalOf(document, query)}`;
  const head = lines(words, options, '1');
  if (!options.tty) return head;
  const columns = toColumns(points, document.window, { columns: columnsFor(options), stepMs: document.stepMs });
  const chart = drawChart(columns, { height: HEIGHT, axisColumns: AXIS_COLUMNS, format });
  return `${head}${chart.map(({ axis, plot }) => `${axis}${paint(plot, color, options)}`.trimEnd()).join('\n')}\n`;
}

const TOTALS: Record<string, keyof MachineTotals> = {
  network_receive: 'networkReceiveBytes',
  network_transmit: 'networkTransmitBytes',
  disk_read: 'diskReadBytes',
  disk_write: 'diskWrittenBytes',
};

/** What the counters say of the whole job; a graph's area says less. */
function totalOf({ totals = {} }: MetricsDocument, query: string): string {
  if (query === 'cpu' && totals.cpuSeconds !== undefined) return `, total ${totals.cpuSeconds.toFixed(1)} CPU seconds`;
  const field = TOTALS[query];
  const bytes = field === undefined ? undefined : totals[field];
  return bytes === undefined ? '' : `, total ${formatBytes(bytes)}`;
}

/** A bar a stage, under the graphs and to the same scale. */
function renderStages(document: MetricsDocument, options: ChartOptions): string {
  if (document.stages.length === 0) return '';
  const { startMs, endMs } = document.window;
  const columns = columnsFor(options);
  const column = (ms: number) =>
    Math.min(columns - 1, Math.max(0, Math.floor(((ms - startMs) / Math.max(1, endMs - startMs)) * columns)));
  const stages = document.stages.map(({ name, startedAtMs, finishedAtMs }) => {
    const duration = `${((finishedAtMs - startedAtMs) / 1000).toFixed(1)} s`;
    const label = `${oneLine(name).slice(0, NAME_COLUMNS)} ${duration}`;
    if (!options.tty) return `  ${label}`;
    const from = column(startedAtMs);
    const bar = '━'.repeat(Math.max(1, column(finishedAtMs) - from));
    const line = `${' '.repeat(AXIS_COLUMNS + from)}${paint(bar, '2', options)}`;
    // Beside the bar where there is room, else before it, else below.
    const after = columns - from - bar.length;
    if (label.length + 1 <= after) return `${line} ${label}`;
    return label.length + 1 <= AXIS_COLUMNS + from
      ? `${' '.repeat(AXIS_COLUMNS + from - label.length - 1)}${label} ${paint(bar, '2', options)}`
      : `${line}\n${lines(label, options).trimEnd()}`;
  });
  return `${paint('stages', '1', options)}\n${stages.join('\n')}\n`;
}

function columnsFor({ width }: ChartOptions): number {
  return Math.min(MOST_COLUMNS, Math.max(LEAST_COLUMNS, width - AXIS_COLUMNS));
}

/** Words as lines that keep to the terminal's width; without one, as a line. @param code ANSI colour */
function lines(words: string, options: ChartOptions, code?: string): string {
  const broken = options.tty ? wrap(words, options.width) : [words];
  const painted = code === undefined || !options.tty ? broken : broken.map((line) => paint(line, code, options));
  return `${painted.join('\n')}\n`;
}

/** Between words where that is possible. */
function wrap(text: string, width: number): string[] {
  const result: string[] = [];
  let rest = Array.from(text);
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    result.push(rest.slice(0, space > 0 ? space : width).join(''));
    rest = rest.slice(space > 0 ? space + 1 : width);
  }
  return [...result, rest.join('')];
}

function paint(text: string, code: string, { color }: ChartOptions): string {
  return color === true ? `\u001b[${code}m${text}\u001b[0m` : text;
}
