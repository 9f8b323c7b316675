import type { StepStatus } from '../../contracts/ci-job.js';
import { html, type Html } from '../html.js';
import { formatDuration } from '../words.js';
import type { JobPageData } from './job.js';

const TITLES: Record<string, string> = {
  get_sources: 'Get sources',
  restore_cache: 'Restore cache',
  download_artifacts: 'Download artifacts',
  step_script: 'Script',
  after_script: 'After script',
  archive_cache: 'Save cache',
  archive_cache_on_failure: 'Save cache',
  upload_artifacts_on_success: 'Upload artifacts',
  upload_artifacts_on_failure: 'Upload artifacts',
};

export function stepTitle(name: string): string {
  return TITLES[name] ?? name;
}

/** Short steps are seen all the same. */
const MIN_WIDTH_PERCENT = 0.4;

interface Span {
  startMs: number;
  endMs: number;
}

/** Waiting, then step by step: when, how long, and how often it was handed to a worker. */
export function timeline(data: JobPageData): Html {
  const { status, nowMs } = data;
  const whole = { startMs: Date.parse(status.queuedAt), endMs: timeOr(status.finishedAt, nowMs) };
  const waited = { startMs: whole.startMs, endMs: timeOr(status.startedAt, whole.endMs) };
  return html`${status.attempts > 1 && html`<p>Machine ${status.attempts} of this job: an earlier one was lost or could not be made.</p>`}
    <ol class="steps">
      ${row('Wait for a machine', status.startedAt === null ? (data.over ? 'failed' : 'running') : 'success', waited, whole)}
      ${status.steps.map((step) => stepRow(step, data, whole))}
    </ol>`;
}

function stepRow(step: StepStatus, { trace, nowMs }: JobPageData, whole: Span): Html {
  const line = trace.sections.find(({ name }) => name === step.name)?.start;
  const title = line === undefined ? stepTitle(step.name) : html`<a href="#L${line + 1}">${stepTitle(step.name)}</a>`;
  const span =
    step.startedAt === null
      ? undefined
      : { startMs: Date.parse(step.startedAt), endMs: timeOr(step.finishedAt, nowMs) };
  const code = step.exitCode !== null && step.exitCode !== 0 ? `exit code ${String(step.exitCode)}` : undefined;
  const again = step.attempts > 1 ? `went to ${String(step.attempts)} workers; the script ran once` : undefined;
  return row(title, step.state, span, whole, [code, again].filter((note) => note !== undefined).join(' · '));
}

function row(title: Html | string, state: string, span: Span | undefined, whole: Span, note = ''): Html {
  const length = Math.max(1, whole.endMs - whole.startMs);
  const percent = (ms: number, least = 0) => `${Math.min(100, Math.max(least, (ms / length) * 100)).toFixed(2)}%`;
  return html`<li class="state-${state}">
    <span class="step-name"
      ><span class="sign" aria-hidden="true">${SIGNS[state] ?? '○'}</span> ${title}
      <span class="hidden">${state}</span></span
    >
    <svg class="bar" aria-hidden="true" preserveAspectRatio="none">
      <rect class="ground" width="100%" height="100%" rx="3" />
      ${span && html`<rect class="span" x="${percent(span.startMs - whole.startMs)}" width="${percent(span.endMs - span.startMs, MIN_WIDTH_PERCENT)}" height="100%" rx="3" />`}
    </svg>
    <span class="number">${span === undefined ? '–' : formatDuration(span.endMs - span.startMs)}</span>
    ${note !== '' && html`<span class="step-note">${note}</span>`}
  </li>`;
}

const SIGNS: Record<string, string> = { success: '✓', failed: '✗', canceled: '⊘', running: '◑', skipped: '–' };

function timeOr(iso: string | null, otherwise: number): number {
  return iso === null ? otherwise : Date.parse(iso);
}
