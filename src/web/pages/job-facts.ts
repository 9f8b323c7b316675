import type { Fault } from '../../contracts/faults.js';
import type { MetricsDocument } from '../../metrics/document.js';
import { html, type Html, type HtmlValue } from '../html.js';
import { jobPath, metricsWords, time } from '../words.js';
import type { JobPageData } from './job.js';

export function factList(data: JobPageData): Html {
  const { status } = data;
  const facts: [string, HtmlValue][] = [
    ['Job', html`<code>${status.workflowId}</code>`],
    ['Project', text(status.project)],
    ['Pool', text(status.pool)],
    ['Machine', text(status.machine)],
    ['Engine', text(status.engine)],
    ['Image', text(status.image)],
    ['Queued', time(status.queuedAt)],
    ['Started', time(status.startedAt)],
    ['Finished', time(status.finishedAt)],
    ['Exit code', status.exitCode],
    ['Failure', status.failureReason !== null && html`<code>${status.failureReason}</code> ${status.failureMessage}`],
    ['Fault', faultWords(data.flight?.fault)],
    ['Machines used', status.attempts],
    [
      'Held until',
      status.heldUntil !== null && html`${time(status.heldUntil)} · <code>holdfast shell ${status.id}</code>`,
    ],
    ['Metrics', html`${metricsWords(status.metrics)}${status.metricsReason !== null && ` (${status.metricsReason})`}`],
    ['Flags', flags(data.metrics)],
    ['Elsewhere', links(data)],
  ];
  return html`<dl class="facts">
    ${facts
      .filter(([, value]) => value !== null && value !== false)
      .map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
  </dl>`;
}

/** Who must act. */
const FAULT_WORDS: Record<Fault, string | null> = {
  user: 'the job’s own',
  runner: 'the runner’s',
  provider: 'what the runner stands on: engine, registry, store',
  coordinator: 'the coordinator’s',
  nobody: null,
};

function faultWords(fault: Fault | null | undefined): string | null {
  return fault == null ? null : FAULT_WORDS[fault];
}

/** Rules that the job has met: evidence for a person, no verdict. */
function flags(metrics: MetricsDocument | undefined): HtmlValue {
  const met = metrics?.flags ?? [];
  if (met.length === 0) return null;
  return html`<ul class="links">
    ${met.map(
      ({ name, value, threshold }) =>
        html`<li>
          <a class="flag" href="/?flag=${encodeURIComponent(name)}">⚑ ${name}</a> ${value} against ${threshold}
        </li>`,
    )}
  </ul>`;
}

function text(value: string | null): string | null {
  return value === '' ? null : value;
}

function links({ status, temporalUi, metrics }: JobPageData): HtmlValue {
  const all: Html[] = [];
  if (temporalUi !== undefined) {
    const path = `/namespaces/${encodeURIComponent(temporalUi.namespace)}/workflows/${encodeURIComponent(status.workflowId)}`;
    all.push(html`<a href="${temporalUi.url.replace(/\/$/, '')}${path}">Workflow in the Temporal UI</a>`);
  }
  if (metrics !== undefined) {
    all.push(html`<a href="${jobPath('/data/metrics', status.workflowId)}">Metrics document (JSON)</a>`);
    all.push(html`<a href="${jobPath('/data/report', status.workflowId)}" download>Graphs as one HTML file</a>`);
  }
  return all.length === 0
    ? null
    : html`<ul class="links">
        ${all.map((link) => html`<li>${link}</li>`)}
      </ul>`;
}
