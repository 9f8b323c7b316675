import { html, type Html } from '../html.js';
import { graphFigures } from '../graph-figures.js';
import { jobPath } from '../words.js';
import type { JobPageData } from './job.js';

/** The graphs' places, with their figures in words; the script draws into them. */
export function graphs({ status, metrics, over }: JobPageData): Html {
  if (metrics === undefined || metrics.outcome === 'no_samples')
    return html`<p class="muted">${reason(status.metrics, status.metricsReason, over)}</p>`;
  return html`<div id="graphs" data-source="${jobPath('/data/metrics', status.workflowId)}">
    ${graphFigures(metrics)}
  </div>`;
}

function reason(state: string, why: string | null, over: boolean): string {
  if (state === 'none') return why === null ? 'Metrics are not configured.' : `No metrics: ${why}.`;
  if (!over) return 'The graphs come when the script has ended.';
  if (state === 'pending') return 'The graphs are being collected.';
  return `There are no graphs: ${why ?? 'the collection failed'}. "holdfast metrics replay" tries again.`;
}
