import { html, type Html } from './html.js';

/** How numbers, times and states read on the pages. */

/** @returns e.g. `40 ms`, `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min` */
export function formatDuration(ms: number): string {
  if (ms < 100) return `${String(Math.max(0, Math.round(ms)))} ms`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${String(whole)} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${String(minutes)} min ${String(whole % 60)} s`;
  return `${String(Math.floor(minutes / 60))} h ${String(minutes % 60)} min`;
}

/** In UTC; the browser's script writes local time over it. */
export function time(iso: string | null): Html {
  if (iso === null) return html`–`;
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`;
}

const STATE_SIGNS: Record<string, string> = {
  pending: '○',
  preparing: '◔',
  running: '◑',
  finishing: '◕',
  success: '✓',
  failed: '✗',
  canceled: '⊘',
  skipped: '–',
};

export function stateBadge(state: string): Html {
  return html`<span class="badge state-${state}"
    ><span aria-hidden="true">${STATE_SIGNS[state] ?? '·'}</span> ${state}</span
  >`;
}

const METRICS_WORDS: Record<string, string> = {
  pending: 'being collected',
  uploaded: 'uploaded',
  stored: 'kept in the store',
  failed: 'failed',
  none: 'none',
};

export function metricsWords(state: string | null): string {
  return state === null ? '–' : (METRICS_WORDS[state] ?? state);
}

/** A workflow id's path below `/jobs/`: its slashes stay, so that addresses can be read. */
export function jobPath(prefix: string, workflowId: string): string {
  return `${prefix}/${workflowId.split('/').map(encodeURIComponent).join('/')}`;
}
