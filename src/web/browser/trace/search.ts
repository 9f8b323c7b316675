import type { TraceServer } from './server.js';
import type { TraceView } from './trace-view.js';

/** Finds a text in the whole trace; Enter goes to the next hit, Shift and Enter to the one before. */
export function attachSearch(form: HTMLFormElement, view: TraceView, server: TraceServer, found: () => void): void {
  const input = form.querySelector<HTMLInputElement>('input');
  const words = form.querySelector<HTMLElement>('#trace-hits');
  if (input === null || words === null) return;
  form.hidden = false;
  let hits: number[] = [];
  let more = false;
  let at = -1;
  let asked = '';
  let running = new AbortController();

  async function search(text: string): Promise<void> {
    running.abort();
    running = new AbortController();
    asked = text;
    at = -1;
    const result = text === '' ? { lines: [], more: false } : await server.search(text, running.signal);
    hits = result.lines;
    more = result.more;
    view.setHits(hits);
  }

  function step(by: number): void {
    if (hits.length > 0) {
      at = (at + by + hits.length) % hits.length;
      found();
      view.goTo(hits[at] ?? 0);
    }
    tell();
  }

  function tell(): void {
    if (words === null) return;
    const count = `${String(hits.length)}${more ? '+' : ''}`;
    words.textContent = asked === '' ? '' : hits.length === 0 ? 'no hit' : `${String(at + 1)} of ${count}`;
  }

  async function submit(by: number): Promise<void> {
    const text = input?.value ?? '';
    if (text !== asked) {
      await search(text);
      at = by > 0 ? -1 : 0;
    }
    step(by);
  }

  let backwards = false;
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') backwards = event.shiftKey;
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const by = backwards ? -1 : 1;
    backwards = false;
    submit(by).catch(() => {
      if (!running.signal.aborted) words.textContent = 'the server does not answer';
    });
  });
}
