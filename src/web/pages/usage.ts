import type { JobUsage } from '../../metrics/usage.js';
import { formatBytes } from '../../metrics/units.js';
import { html, type Html } from '../html.js';
import type { PageParts } from '../layout.js';
import { time } from '../words.js';

/** Right-sizing: what jobs of each name use, against what they are given. */
export function usagePage(usages: readonly JobUsage[], project: string | undefined): PageParts {
  return {
    title: 'Usage',
    section: 'usage',
    main: html`<h1>Usage</h1>
      <p class="lead">What jobs of each name used over their last runs, against their limits.</p>
      <form class="filters" method="get" action="/usage" role="search" aria-label="Usage">
        <label>Project <input name="project" value="${project}" placeholder="any" /></label>
        <button>Show</button>
        ${project !== undefined && html`<a class="reset" href="/usage">Show all</a>`}
      </form>
      ${usages.length === 0 ? html`<p class="empty" role="status">No job of this has been measured yet.</p>` : table(usages)}`,
  };
}

function table(usages: readonly JobUsage[]): Html {
  return html`<table class="usage">
    <caption class="hidden">
      Usage by project and name
    </caption>
    <thead>
      <tr>
        <th scope="col">Job</th>
        <th scope="col" class="number wide">Runs</th>
        <th scope="col" class="number wide">CPU, peak and p95</th>
        <th scope="col" class="number wide">Memory, peak and p95</th>
        <th scope="col" class="number wide">Throttled</th>
        <th scope="col" class="number wide">Out of memory</th>
        <th scope="col">Advice</th>
      </tr>
    </thead>
    <tbody>
      ${usages.map(row)}
    </tbody>
  </table>`;
}

function row(usage: JobUsage): Html {
  const { project, name, runs, lastRunAt, limits, cpu, memoryBytes, throttledSeconds, oomKills, advice } = usage;
  const search = new URLSearchParams({ q: name, project }).toString();
  return html`<tr>
    <th scope="row">
      <a href="/?${search}">${name}</a>
      <span class="sub">${project}</span>
      <span class="sub">last run ${time(lastRunAt)}</span>
      <span class="sub narrow"
        >${runs === 1 ? '1 run' : `${String(runs)} runs`}, up to ${cpu === null ? '–' : cores(cpu.peak)} and
        ${memoryBytes === null ? '–' : formatBytes(memoryBytes.peak)}</span
      >
    </th>
    <td class="number wide">${runs}</td>
    <td class="number wide">${pair(cpu, cores)}${limitOf(limits.cpus, cores)}</td>
    <td class="number wide">${pair(memoryBytes, formatBytes)}${limitOf(limits.memoryBytes, formatBytes)}</td>
    <td class="number wide">${throttledSeconds === null ? '–' : `${throttledSeconds.toFixed(1)} s`}</td>
    <td class="number wide ${oomKills > 0 && 'bad'}">${oomKills}</td>
    <td class="advice">${advice}</td>
  </tr>`;
}

function pair(figures: { peak: number; p95: number } | null, format: (value: number) => string): string {
  return figures === null ? '–' : `${format(figures.peak)} / ${format(figures.p95)}`;
}

function limitOf(limit: number | null, format: (value: number) => string): Html {
  return html`<span class="sub">${limit === null ? 'no limit' : `of ${format(limit)}`}</span>`;
}

function cores(value: number): string {
  return `${value.toFixed(2)} cores`;
}
