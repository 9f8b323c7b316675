/** Prometheus writes `+Inf`, `-Inf` and `NaN`, which JSON and `Number()` do not know. */
export function parseValue(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return Number(text);
}

export function formatValue(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  return String(value);
}

export type Point = [unixSeconds: number, value: string];
export const AGGREGATES = ['sum', 'max', 'avg'] as const;
export type Aggregate = (typeof AGGREGATES)[number];

/** Several series made one, in the order of time; at each moment over the series that have a value there. */
export function aggregateSeries(series: readonly (readonly Point[])[], how: Aggregate): Point[] {
  const [only] = series;
  if (only === undefined) return [];
  if (series.length === 1) return [...only];
  const byTime = new Map<number, number[]>();
  for (const [time, value] of series.flat()) {
    const values = byTime.get(time);
    if (values === undefined) byTime.set(time, [parseValue(value)]);
    else values.push(parseValue(value));
  }
  return [...byTime].sort(([a], [b]) => a - b).map(([time, values]) => [time, formatValue(combine(values, how))]);
}

function combine(values: readonly number[], how: Aggregate): number {
  if (how === 'max') return values.reduce((highest, value) => Math.max(highest, value));
  const sum = values.reduce((total, value) => total + value, 0);
  return how === 'sum' ? sum : sum / values.length;
}
