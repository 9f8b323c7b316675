import { lifeRows, type LifeRow } from '../../client/life/life-rows.js';
import { html, type Html } from '../html.js';
import type { JobPageData } from './job.js';

/** The flight recorder: what was done for the job, by whom, how often, and why it failed. */
export function lifeOf({ status, flight }: JobPageData): Html {
  if (flight === undefined) return html`<p class="muted">Temporal cannot be asked for it just now.</p>`;
  return html`<table class="life">
    <caption>
      Every activity; its attempts, where there were several or one failed. Times since the job was queued.
    </caption>
    <thead>
      <tr>
        <th scope="col" class="number">At</th>
        <th scope="col">What</th>
        <th scope="col" class="number">Took</th>
      </tr>
    </thead>
    <tbody>
      ${lifeRows({ queuedAt: status.queuedAt, life: flight.life }).map(row)}
    </tbody>
  </table>`;
}

function row({ kind, at, name, about, took, says, isBad }: LifeRow): Html {
  return html`<tr class="life-${kind}">
    <td class="number">${at}</td>
    <td>
      ${name !== '' && html`<span class="life-name">${name}</span>`} ${about}
      ${says !== '' && html`<span class="sub ${isBad && 'reason'}">${says}</span>`}
    </td>
    <td class="number">${took}</td>
  </tr>`;
}
