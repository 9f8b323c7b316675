import { html } from '../html.js';
import type { PageParts } from '../layout.js';

/** A page that says in words what is the matter and what to do. */
export function messagePage(title: string, text: string, remedy?: string): PageParts {
  return {
    title,
    main: html`<div class="message">
      <h1>${title}</h1>
      <p>${text}</p>
      ${remedy !== undefined && html`<p>${remedy}</p>`}
      <p><a href="/">All jobs</a></p>
    </div>`,
  };
}
