import type { MetricsDocument } from '../metrics/document.js';
import { pointsOf } from '../metrics/document.js';
import { shortcomingsOf } from '../metrics/shortcomings.js';
import { formatterOf } from '../metrics/units.js';
import { parseValue } from '../metrics/values.js';
import { html, type Html } from './html.js';

const TITLES: Record<string, string> = {
  cpu: 'CPU',
  memory: 'Memory',
  network_receive: 'Network, received',
  network_transmit: 'Network, sent',
  disk_read: 'Disk, read',
  disk_write: 'Disk, written',
  disk_written: 'Disk, written',
};

export function queryTitle(query: string): string {
  return TITLES[query] ?? query;
}

/** A figure for each query: its highest and mean value in words, and the place of its graph. */
export function graphFigures(document: MetricsDocument): Html {
  const skipped = new Map(document.skipped.map(({ query, reason }) => [query, reason]));
  return html`${shortcomingsOf(document).map((words) => html`<p class="muted">${words}</p>`)}
    <div class="graphs">
      ${Object.keys(document.queries).map((query) => figure(document, query, skipped.get(query)))}
    </div>`;
}

function figure(document: MetricsDocument, query: string, skipped: string | undefined): Html {
  const values = valuesOf(document, query);
  const words = skipped === undefined ? inWords(document, query, values) : `was skipped: ${skipped}`;
  return html`<figure data-query="${query}">
    <figcaption><strong>${queryTitle(query)}</strong> <span class="muted">${words}</span></figcaption>
    ${values.length > 0 && html`<div class="plot"></div>`}
  </figure>`;
}

function valuesOf(document: MetricsDocument, query: string): number[] {
  return pointsOf(document, query)
    .map(([, value]) => parseValue(value))
    .filter(Number.isFinite);
}

function inWords({ limits }: MetricsDocument, query: string, values: readonly number[]): string {
  if (values.length === 0) return 'no samples';
  const format = formatterOf(query);
  const peak = values.reduce((highest, value) => Math.max(highest, value));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const limit = query === 'cpu' ? limits?.cpus : query === 'memory' ? limits?.memoryBytes : undefined;
  return `peak ${format(peak)}, mean ${format(mean)}${limit == null ? '' : `, limit ${format(limit)}`}`;
}
