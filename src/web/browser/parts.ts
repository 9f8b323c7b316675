import { localTimes } from './local-time.js';

/**
 * Fetches this page again and puts its new parts in place of those that differ. What has the focus keeps it.
 * @returns the parts that have changed
 */
export async function refreshParts(): Promise<Element[]> {
  const response = await fetch(location.pathname + location.search, { headers: { accept: 'text/html' } });
  if (!response.ok) return [];
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
  const changed: Element[] = [];
  for (const part of document.querySelectorAll('[data-part]')) {
    const next = fresh.getElementById(part.id);
    if (next === null || sources.get(part.id) === next.innerHTML) continue;
    sources.set(part.id, next.innerHTML);
    for (const { name, value } of next.attributes) part.setAttribute(name, value);
    const focused = part.contains(document.activeElement) ? document.activeElement?.getAttribute('href') : null;
    localTimes(next);
    part.replaceChildren(...next.childNodes);
    if (focused != null) part.querySelector<HTMLElement>(`a[href="${CSS.escape(focused)}"]`)?.focus();
    changed.push(part);
  }
  return changed;
}

/** What the server sent for each part the last time; the elements themselves have been changed since (local times, graphs). */
const sources = new Map<string, string>();
