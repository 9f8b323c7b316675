import type { MetricsDocument } from '../../../metrics/document.js';
import { pointsOf } from '../../../metrics/points.js';
import { parseValue, type Point } from '../../../metrics/values.js';

/** Series of one query on one row of times, as uPlot wants them; null where a series has no sample. */
export interface PlotData {
  times: number[];
  series: { label: string; values: (number | null)[] }[];
}

/** More lines than that nobody tells apart; then their aggregate is drawn alone. */
const MAX_SERIES = 4;

export function plotDataOf(document: MetricsDocument, query: string): PlotData {
  const found = document.series.filter((series) => series.query === query);
  const single = found.length <= 1 || found.length > MAX_SERIES;
  const drawn = single
    ? [
        {
          label:
            found.length > 1
              ? `${document.aggregates?.[query] ?? document.aggregate} of ${String(found.length)}`
              : query.replaceAll('_', ' '),
          values: pointsOf(document, query),
        },
      ]
    : found.map(({ labels, values }) => ({
        label: labelOf(
          labels,
          found.map((series) => series.labels),
        ),
        values,
      }));
  return align(drawn);
}

/** Room above a peak and below a trough. */
const MARGIN = 1.15;

/** From zero, or from below it where there are negative values. @param max null, as `min`: nothing was measured */
export function scaleOf(min: number | null, max: number | null): [number, number] {
  const [bottom, top] = [Math.min(0, min ?? 0) * MARGIN, Math.max(0, max ?? 0) * MARGIN];
  return [bottom, top > bottom ? top : 1];
}

function align(drawn: readonly { label: string; values: readonly Point[] }[]): PlotData {
  const times = [...new Set(drawn.flatMap(({ values }) => values.map(([time]) => time)))].sort((a, b) => a - b);
  return {
    times,
    series: drawn.map(({ label, values }) => {
      const byTime = new Map(values.map(([time, value]) => [time, parseValue(value)]));
      return { label, values: times.map((time) => finite(byTime.get(time))) };
    }),
  };
}

function finite(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : value;
}

/** Only the labels that tell the series apart. */
function labelOf(labels: Record<string, string>, all: readonly Record<string, string>[]): string {
  const telling = Object.keys(labels).filter((name) => new Set(all.map((other) => other[name])).size > 1);
  return telling.map((name) => `${name}=${labels[name] ?? ''}`).join(' ') || '(all)';
}
