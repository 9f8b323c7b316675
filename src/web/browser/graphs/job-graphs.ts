import type { MetricsDocument } from '../../../metrics/document.js';
import { drawGraphs } from './draw.js';

let remove: (() => void) | undefined;

/** Draws the graphs of the page's job, if it has any (yet). */
export async function showGraphs(): Promise<void> {
  const root = document.querySelector<HTMLElement>('#graphs');
  const source = root?.dataset['source'];
  if (root === null || source === undefined) return;
  try {
    const response = await fetch(source);
    if (!response.ok) throw new Error(`the server answered ${String(response.status)}`);
    remove?.();
    remove = drawGraphs(root, (await response.json()) as MetricsDocument);
  } catch (error) {
    const words = document.createElement('p');
    words.className = 'error';
    words.textContent = `The graphs could not be drawn: ${error instanceof Error ? error.message : String(error)}. The figures above hold.`;
    root.prepend(words);
  }
}
