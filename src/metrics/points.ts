import type { MetricsDocument } from './document.js';
import { aggregateSeries, type Point } from './values.js';

/** A query's points, several series made one. Apart from the document's schema, so that browsers need not load that. */
export function pointsOf(
  document: Pick<MetricsDocument, 'series' | 'aggregate' | 'aggregates'>,
  query: string,
): Point[] {
  const series = document.series.filter((candidate) => candidate.query === query).map(({ values }) => values);
  return aggregateSeries(series, document.aggregates?.[query] ?? document.aggregate);
}
