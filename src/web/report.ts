import { createHash } from 'node:crypto';
import type { JobStatus } from '../contracts/ci-job.js';
import type { MetricsDocument } from '../metrics/document.js';
import type { WebAssets } from './assets.js';
import { graphFigures } from './graph-figures.js';
import { Html, html, jsonForScript, type HtmlValue } from './html.js';
import { formatDuration, stateBadge } from './words.js';

/**
 * A job's graphs as one file that needs nothing else: to send to a colleague, to attach as an artifact. It opens from a disk, asks
 * for nothing from outside, and its policy lets nothing but its own script run.
 * @param status absent: only what the document itself says
 */
export function metricsReport(document: MetricsDocument, status: JobStatus | undefined, assets: WebAssets): string {
  // Elements end at their end tags, wherever these stand.
  const script = assets.text('report.js').replaceAll('</script', '<\\/script');
  const style = assets.text('report.css').replaceAll('</style', '<\\/style');
  // Put in without any space around: the hashes are of the elements' whole content.
  const policy = `default-src 'none'; script-src '${hashOf(script)}'; style-src '${hashOf(style)}'; base-uri 'none'; form-action 'none'`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="content-security-policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${document.name} · performance</title>
        ${new Html(`<style>${style}</style>`)}
      </head>
      <body>
        <main id="main">
          <h1>${document.name}</h1>
          <p class="headline">
            ${status !== undefined && stateBadge(status.state)} <span>${headline(document, status)}</span>
          </p>
          <section class="card" aria-labelledby="graphs-title">
            <h2 id="graphs-title">Performance</h2>
            <div id="graphs">${graphFigures(document)}</div>
          </section>
          <div class="columns">
            <section class="card" aria-labelledby="stages-title">
              <h2 id="stages-title">Stages</h2>
              ${stages(document)}
            </section>
            <section class="card" aria-labelledby="facts-title">
              <h2 id="facts-title">Facts</h2>
              ${facts(document, status)}
            </section>
          </div>
          <section class="card" aria-labelledby="queries-title">
            <h2 id="queries-title">Queries</h2>
            ${queries(document)}
          </section>
          <p class="muted">Made by Holdfast. Times are those of the reader; the file holds everything that it shows.</p>
        </main>
        <script type="application/json" id="document">
          ${jsonForScript(document)}
        </script>
        ${new Html(`<script type="module">${script}</script>`)}
      </body>
    </html> `.text;
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

function headline({ window }: MetricsDocument, status: JobStatus | undefined): string {
  const measured = `Measured for ${formatDuration(window.endMs - window.startMs)}.`;
  return status === undefined ? measured : `${status.summary} ${measured}`;
}

function stages({ stages: list }: MetricsDocument): Html {
  if (list.length === 0) return html`<p class="muted">None is known.</p>`;
  return html`<dl class="facts wide-names">
    ${list.map(({ name, startedAtMs, finishedAtMs }) => fact(name, formatDuration(finishedAtMs - startedAtMs)))}
  </dl>`;
}

function facts(document: MetricsDocument, status: JobStatus | undefined): Html {
  const { job, project, machine, engine, window, stepMs, collectedAtMs } = document;
  return html`<dl class="facts">
    ${fact('Job', html`<code>${job}</code>`)} ${fact('Project', project)} ${fact('Machine', machine)}
    ${fact('Engine', engine)} ${status?.image != null && fact('Image', status.image)}
    ${status?.exitCode != null && fact('Exit code', status.exitCode)} ${fact('From', instant(window.startMs))}
    ${fact('To', instant(window.endMs))} ${fact('Step', formatDuration(stepMs))}
    ${fact('Collected', instant(collectedAtMs))}
  </dl>`;
}

function queries({ queries: all, skipped }: MetricsDocument): Html {
  const reasons = new Map(skipped.map(({ query, reason }) => [query, reason]));
  return html`<dl class="facts wide-names">
    ${Object.entries(all).map(([name, text]) =>
      fact(
        name,
        html`<code>${text}</code>${reasons.has(name) && html`<br /><span class="error">${reasons.get(name)}</span>`}`,
      ),
    )}
  </dl>`;
}

function fact(name: string, value: HtmlValue): Html {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}

function instant(ms: number): Html {
  const iso = new Date(ms).toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`;
}
