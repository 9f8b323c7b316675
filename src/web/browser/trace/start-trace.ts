import { attachSearch } from './search.js';
import { createTraceServer } from './server.js';
import { createTraceView } from './trace-view.js';

const TRY_AGAIN_MS = 2_000;

/** Shows a job's trace and keeps up with it. */
export async function startTrace(job: string): Promise<void> {
  const find = (id: string) => document.querySelector<HTMLElement>(id);
  const [scroll, space, rows] = [find('#trace-scroll'), find('#trace-space'), find('#trace-rows')];
  const [foldButton, followButton] = [find('#trace-fold'), find('#trace-follow')];
  const form = document.querySelector<HTMLFormElement>('#trace-search');
  if (
    scroll === null ||
    space === null ||
    rows === null ||
    foldButton === null ||
    followButton === null ||
    form === null
  )
    return;
  const server = createTraceServer(job);
  const view = createTraceView({ scroll, space, rows }, server, setFollow);

  function setFollow(on: boolean): void {
    followButton?.setAttribute('aria-pressed', String(on));
    view.follow(on);
  }

  function goToHash(): void {
    const line = /^#L(\d{1,9})$/.exec(location.hash)?.[1];
    if (line === undefined) return;
    setFollow(false);
    view.goTo(Number(line) - 1);
  }

  let closed = false;
  foldButton.hidden = false;
  foldButton.addEventListener('click', () => {
    closed = !closed;
    foldButton.textContent = closed ? 'Unfold all' : 'Fold all';
    view.foldAll(closed);
  });
  followButton.addEventListener('click', () => setFollow(followButton.getAttribute('aria-pressed') !== 'true'));
  attachSearch(form, view, server, () => setFollow(false));
  addEventListener('hashchange', goToHash);
  // The same line again changes no address.
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href^="#L"]') : null;
    if (link?.getAttribute('href') === location.hash) goToHash();
  });

  let first = true;
  for (let known: number | undefined; ;) {
    try {
      const state = await server.state(known);
      if (known !== state.bytes) view.update(state);
      scroll.setAttribute('aria-label', `Trace, ${String(state.lines)} lines`);
      followButton.hidden = state.complete;
      known = state.bytes;
      if (first) {
        setFollow(!state.complete && location.hash === '');
        goToHash();
      }
      first = false;
      if (state.complete) return setFollow(false);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
    }
  }
}
