import { localTimes } from './local-time.js';

/** The list keeps itself up to date while somebody looks at it. */
const EVERY_MS = 3_000;

const list = document.querySelector('#jobs');
let last = '';

async function refresh(): Promise<void> {
  if (list === null || document.visibilityState !== 'visible') return;
  const response = await fetch(location.href, { headers: { accept: 'text/html' } });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html').querySelector('#jobs');
  if (fresh === null || fresh.innerHTML === last) return;
  last = fresh.innerHTML;
  const focused = list.contains(document.activeElement) ? document.activeElement?.getAttribute('href') : null;
  localTimes(fresh);
  list.replaceChildren(...fresh.childNodes);
  if (focused != null) list.querySelector<HTMLElement>(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

function loop(): void {
  setTimeout(() => {
    // The server away: the list stays as it is, and the next look tells.
    void refresh()
      .catch(() => undefined)
      .finally(loop);
  }, EVERY_MS);
}

// The first page holds choices of a form that somebody may be filling in; that is outside of the list.
loop();
