import type { JobFlight } from '../../client/life/job-flight.js';
import type { JobStatus } from '../../contracts/ci-job.js';
import type { MetricsDocument } from '../../metrics/document.js';
import { html, type Html } from '../html.js';
import type { PageParts } from '../layout.js';
import type { TraceState } from '../trace/trace-state.js';
import { formatDuration, jobPath, stateBadge } from '../words.js';
import { artifactList } from './job-artifacts.js';
import { factList } from './job-facts.js';
import { graphs } from './job-graphs.js';
import { lifeOf } from './job-life.js';
import { timeline } from './job-timeline.js';
import { messagePage } from './message.js';

export interface JobPageData {
  status: JobStatus;
  /** Undefined: it cannot be read just now. */
  flight: Pick<JobFlight, 'fault' | 'life'> | undefined;
  trace: TraceState;
  metrics: MetricsDocument | undefined;
  temporalUi: { url: string; namespace: string } | undefined;
  nowMs: number;
  /** The final status is decided. */
  over: boolean;
}

/** One job. Parts with `data-part` are fetched again by the page's script while anything can still change. */
export function jobPage(data: JobPageData): PageParts {
  const { status, over } = data;
  const settled = over && status.metrics !== 'pending' && status.heldUntil === null;
  return {
    title: status.name,
    section: 'jobs',
    script: 'job.js',
    style: 'job.css',
    main: html`<div id="job" data-id="${jobPath('', status.workflowId)}">
      <div id="part-head" data-part data-settled="${String(settled)}">${head(data)}</div>
      <section class="card" aria-labelledby="steps-title">
        <h2 id="steps-title">Steps</h2>
        <div id="part-steps" data-part>${timeline(data)}</div>
      </section>
      ${traceView(data)}
      <section class="card" aria-labelledby="graphs-title">
        <h2 id="graphs-title">Performance</h2>
        <div id="part-graphs" data-part>${graphs(data)}</div>
      </section>
      <div class="columns">
        <section class="card" aria-labelledby="facts-title">
          <h2 id="facts-title">Facts</h2>
          <div id="part-facts" data-part>${factList(data)}</div>
        </section>
        <section class="card" aria-labelledby="artifacts-title">
          <h2 id="artifacts-title">Artifacts</h2>
          <div id="part-artifacts" data-part>${artifactList(status)}</div>
        </section>
      </div>
      <section class="card" aria-labelledby="life-title">
        <h2 id="life-title">Life</h2>
        <div id="part-life" data-part>${lifeOf(data)}</div>
      </section>
    </div>`,
  };
}

function head({ status, nowMs, over }: JobPageData): Html {
  const end = status.finishedAt === null ? nowMs : Date.parse(status.finishedAt);
  const duration = formatDuration(end - Date.parse(status.queuedAt));
  return html`<h1>${status.name}</h1>
    <p class="headline" role="status">
      ${stateBadge(status.state)}
      <span>${status.summary}</span>
      <span class="muted">${over ? 'Took' : 'For'} ${duration}</span>
      ${status.allowedToFail && html`<span class="muted">This job is allowed to fail.</span>`}
    </p>`;
}

function traceView({ status, trace }: JobPageData): Html {
  return html`<section class="card trace" aria-labelledby="trace-title">
    <div class="trace-bar">
      <h2 id="trace-title">Trace</h2>
      <form id="trace-search" role="search" aria-label="Trace" hidden>
        <label class="hidden" for="trace-text">Search in the trace</label>
        <input id="trace-text" type="search" placeholder="Search in the trace" maxlength="200" />
        <span id="trace-hits" role="status"></span>
        <button type="submit" id="trace-next" title="Next hit (Enter)">Next</button>
      </form>
      <button type="button" id="trace-fold" hidden>Fold all</button>
      <button type="button" id="trace-follow" aria-pressed="false" hidden>Follow</button>
      <a class="button" href="${jobPath('/data/raw', status.workflowId)}">Plain text</a>
    </div>
    <noscript
      ><p>
        Without a script the trace is shown as <a href="${jobPath('/data/raw', status.workflowId)}">plain text</a>.
      </p></noscript
    >
    <div id="trace-scroll" tabindex="0" role="region" aria-label="Trace, ${trace.lines} lines">
      <div id="trace-space"><div id="trace-rows"></div></div>
    </div>
  </section>`;
}

/** Temporal keeps a workflow for its retention, the store for as long as the operator likes. */
export function forgottenJobPage(workflowId: string): PageParts {
  const page = messagePage(
    'Temporal has forgotten this job',
    `${workflowId} is older than the retention of Temporal’s namespace.`,
  );
  return {
    ...page,
    main: [
      page.main,
      html`<p class="message">Its trace is <a href="${jobPath('/data/raw', workflowId)}">still in the store</a>.</p>`,
    ],
  };
}
