import { html, type Html, type HtmlValue } from './html.js';

/** Names of built files, e.g. `app.css` → `app-3F2A.css`. */
export type AssetUrl = (name: string) => string;

export interface PageParts {
  title: string;
  main: HtmlValue;
  /** Built script of this page beside the one that all have. */
  script?: string;
  style?: string;
  /** Which entry of the menu is this page. */
  section?: 'jobs' | 'usage';
}

export type RenderPage = (parts: PageParts) => string;

/** @returns what puts a page's content into the frame that all share */
export function createLayout(asset: AssetUrl): RenderPage {
  return ({ title, main, script, style, section }) =>
    html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <title>${title} · Holdfast</title>
          <link rel="icon" href="${asset('icon.svg')}" type="image/svg+xml" />
          <link rel="stylesheet" href="${asset('app.css')}" />
          ${style !== undefined && html`<link rel="stylesheet" href="${asset(style)}" />`}
          <script src="${asset('theme.js')}"></script>
          <script type="module" src="${asset('app.js')}"></script>
          ${script !== undefined && html`<script type="module" src="${asset(script)}"></script>`}
        </head>
        <body>
          <a class="skip" href="#main">Skip to the content</a>
          <header class="top">
            <a class="brand" href="/"><img src="${asset('icon.svg')}" alt="" width="20" height="20" />Holdfast</a>
            <nav aria-label="Pages">
              ${menuEntry('/', 'Jobs', section === 'jobs')} ${menuEntry('/usage', 'Usage', section === 'usage')}
            </nav>
            <button id="theme" class="quiet" type="button" hidden>Theme</button>
          </header>
          <main id="main" tabindex="-1">${main}</main>
        </body>
      </html> `.text;
}

function menuEntry(href: string, text: string, current: boolean): Html {
  return html`<a href="${href}" ${current && html`aria-current="page"`}>${text}</a>`;
}
