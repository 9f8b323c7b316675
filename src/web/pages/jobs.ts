import type { JobPage, JobPageQuery } from '../../client/job-page.js';
import type { JobSummary } from '../../client/job-summary.js';
import { isFinalJobState, JOB_STATES, METRICS_STATES } from '../../contracts/names.js';
import { formatBytes } from '../../metrics/units.js';
import type { JobFigures } from '../job-figures.js';
import { html, type Html } from '../html.js';
import type { PageParts } from '../layout.js';
import { formatDuration, jobPath, metricsWords, stateBadge, time } from '../words.js';

export interface JobsPageData {
  query: JobPageQuery;
  page: JobPage;
  /** By workflow id; of a job that has none yet there is no entry. */
  figures: ReadonlyMap<string, JobFigures>;
  nowMs: number;
}

export function jobsPage(data: JobsPageData): PageParts {
  return {
    title: 'Jobs',
    section: 'jobs',
    script: 'jobs.js',
    main: html`<h1>Jobs</h1>
      ${filterForm(data.query)}
      <div id="jobs">${jobList(data)}</div>`,
  };
}

function filterForm(query: JobPageQuery): Html {
  return html`<form class="filters" method="get" action="/" role="search" aria-label="Jobs">
    <label
      >Search <input type="search" name="q" value="${query.text}" placeholder="name, id, project, machine"
    /></label>
    <label>State ${choice('state', JOB_STATES, query.state)}</label>
    <label>Metrics ${choice('metrics', METRICS_STATES, query.metrics)}</label>
    <label>Project <input name="project" value="${query.project}" size="14" placeholder="any" /></label>
    <label>Flag <input name="flag" value="${query.flag}" size="10" placeholder="any" /></label>
    <button>Show</button>
    ${isFiltered(query) && html`<a class="reset" href="/">Show all</a>`}
  </form>`;
}

function choice(name: string, values: readonly string[], chosen: string | undefined): Html {
  return html`<select name="${name}">
    <option value="">any</option>
    ${values.map((value) => html`<option ${value === chosen && html`selected`}>${value}</option>`)}
  </select>`;
}

function isFiltered({ text, state, metrics, project, flag }: JobPageQuery): boolean {
  return [text, state, metrics, project, flag].some((value) => value !== undefined);
}

function jobList(data: JobsPageData): Html {
  const { page, query } = data;
  const count = page.jobs.length;
  const searched = page.searched === undefined ? '' : ` Searched: the newest ${String(page.searched)}.`;
  if (count === 0)
    return html`<p class="empty" role="status">${emptyText(query, page.next)}${searched}</p>
      ${pager(query, page.next)}`;
  return html`<p class="count" role="status">
      ${count} ${count === 1 ? 'job' : 'jobs'}${page.next !== undefined && ' on this page'}.${searched}
    </p>
    <table class="jobs">
      <caption class="hidden">
        Jobs, newest first
      </caption>
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Job</th>
          <th scope="col" class="wide">Queued</th>
          <th scope="col" class="number wide">Duration</th>
          <th scope="col" class="number wide">Peak CPU</th>
          <th scope="col" class="number wide">Peak memory</th>
          <th scope="col" class="wide">Metrics</th>
        </tr>
      </thead>
      <tbody>
        ${page.jobs.map((job) => jobRow(job, data))}
      </tbody>
    </table>
    ${pager(query, page.next)}`;
}

function emptyText(query: JobPageQuery, next: string | undefined): string {
  // What a replay has changed is left out of Temporal's page, and may have been all of it.
  if (next !== undefined) return 'No job on this page is like this.';
  if (isFiltered(query)) return 'No job is like this.';
  return query.page === undefined ? 'No job yet. "holdfast run JOB.yml" starts one.' : 'There are no more jobs.';
}

function jobRow(job: JobSummary, { figures, nowMs }: JobsPageData): Html {
  const known = figures.get(job.workflowId) ?? {};
  const duration = formatDuration(known.durationMs ?? durationOf(job, nowMs));
  const cpu = known.peakCpu === undefined ? '–' : `${known.peakCpu.toFixed(2)} cores`;
  const memory = known.peakMemory === undefined ? '–' : formatBytes(known.peakMemory);
  return html`<tr>
    <td>${stateBadge(job.state)}</td>
    <th scope="row">
      <a href="${jobPath('/jobs', job.workflowId)}">${known.name ?? job.name ?? job.id}</a>
      ${facts(job)}
      <span class="sub narrow">${time(job.queuedAt)} · ${duration}${cpu !== '–' && ` · ${cpu} · ${memory}`}</span>
    </th>
    <td class="wide">${time(job.queuedAt)}</td>
    <td class="number wide">${duration}</td>
    <td class="number wide">${cpu}</td>
    <td class="number wide">${memory}</td>
    <td class="wide ${job.metrics === 'failed' && 'bad'}">
      ${isFinalJobState(job.state) ? metricsWords(job.metrics) : '–'}
    </td>
  </tr>`;
}

function facts({ project, workflowId, state, failureReason, flags }: JobSummary): Html {
  return html`<span class="sub"
      >${project !== null && project !== '' && `${project} · `}<code>${workflowId}</code></span
    >
    ${state === 'failed' && failureReason !== null && html`<span class="sub reason">${failureReason}</span>`}
    ${flags.map((flag) => html`<a class="flag" href="/?flag=${encodeURIComponent(flag)}">⚑ ${flag}</a>`)}`;
}

/** Of an open job: so far. */
function durationOf(job: JobSummary, nowMs: number): number {
  return (job.finishedAt === null ? nowMs : Date.parse(job.finishedAt)) - Date.parse(job.queuedAt);
}

function pager(query: JobPageQuery, next: string | undefined): Html | false {
  if (next === undefined && query.page === undefined) return false;
  return html`<nav class="pager" aria-label="Pages of the list">
    ${query.page !== undefined && html`<a href="${address(query, undefined)}">Newest</a>`}
    ${next !== undefined && html`<a rel="next" href="${address(query, next)}">Older jobs →</a>`}
  </nav>`;
}

function address(query: JobPageQuery, page: string | undefined): string {
  const parameters = new URLSearchParams();
  const given = {
    q: query.text,
    state: query.state,
    metrics: query.metrics,
    project: query.project,
    flag: query.flag,
    page,
  };
  for (const [name, value] of Object.entries(given)) if (value !== undefined) parameters.set(name, value);
  const text = parameters.toString();
  return text === '' ? '/' : `/?${text}`;
}
