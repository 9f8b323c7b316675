import type uPlot from 'uplot';

/**
 * The cursor for who has no mouse: arrow keys go from sample to sample, Home and End to the first and the last one. A slider is what
 * assistive technology knows of this kind; it tells the values at the cursor.
 */
export function moveByKeys(place: HTMLElement, plot: uPlot, moveTo: (at: number) => void): void {
  const last = plot.data[0].length - 1;
  place.tabIndex = 0;
  place.setAttribute('role', 'slider');
  place.setAttribute('aria-valuemin', '0');
  place.setAttribute('aria-valuemax', String(last));
  place.setAttribute('aria-valuenow', '0');
  place.setAttribute('aria-valuetext', 'no moment chosen');
  place.addEventListener('keydown', (event) => {
    const at = next(event.key, plot.cursor.idx ?? undefined, last);
    if (at === undefined) return;
    event.preventDefault();
    moveTo(at);
    place.setAttribute('aria-valuenow', String(at));
    place.setAttribute('aria-valuetext', valuesBelow(place));
  });
}

function next(key: string, now: number | undefined, last: number): number | undefined {
  if (key === 'Home') return 0;
  if (key === 'End') return last;
  if (key === 'ArrowLeft') return Math.max(0, (now ?? last + 1) - 1);
  if (key === 'ArrowRight') return Math.min(last, (now ?? -1) + 1);
  return undefined;
}

function valuesBelow({ parentElement }: HTMLElement): string {
  return [...(parentElement?.querySelectorAll('.u-legend .u-series') ?? [])]
    .map((row) => row.textContent.replaceAll(/\s+/g, ' ').trim())
    .join(', ');
}
