import { describe, expect, it } from 'vitest';
import type { JobStatus, StepStatus } from '../contracts/ci-job.js';
import { metricsWords } from '../contracts/names.js';
import { isCutShort, statusOfCutShort } from './cut-short.js';

const step = (name: string, state: StepStatus['state']): StepStatus => ({
  name,
  state,
  startedAt: null,
  finishedAt: null,
  exitCode: null,
  attempts: 1,
});

function status(changes: Partial<JobStatus>): JobStatus {
  const whole: Partial<JobStatus> = {
    state: 'running',
    summary: 'Running on machine m.',
    failureReason: null,
    failureMessage: null,
    metrics: 'uploaded',
    metricsReason: '6 series',
    finishedAt: null,
    heldUntil: null,
    traceBytes: 5,
    steps: [],
    ...changes,
  };
  return whole as JobStatus;
}

const END = { state: 'canceled', failureReason: 'job_canceled', failureMessage: 'terminated' } as const;
const CLOSED = { end: END, closedAt: '2026-01-01T00:00:00Z', traceBytes: 7 };

describe('a workflow that was ended from outside', () => {
  it('has its job’s end from Temporal when it had decided none', () => {
    const steps = [step('get_sources', 'success'), step('step_script', 'running'), step('after_script', 'pending')];
    const over = statusOfCutShort(status({ metrics: 'pending', steps }), CLOSED);

    expect(over).toMatchObject({
      ...END,
      summary: 'The job did not come to its own end: terminated.',
      finishedAt: CLOSED.closedAt,
      traceBytes: 7,
      metrics: 'none',
    });
    expect(over.steps.map(({ state }) => state)).toEqual(['success', 'canceled', 'skipped']);
    expect(isCutShort(over)).toBe(false);
  });

  it('leaves its decision as it was; what was to come after it does not come', () => {
    const decided = status({
      state: 'failed',
      summary: `The job failed: exit code 1.${metricsWords('pending', null)}`,
      failureReason: 'script_failure',
      heldUntil: 'later',
      metrics: 'pending',
    });

    expect(isCutShort(decided)).toBe(true);
    expect(statusOfCutShort(decided, CLOSED)).toMatchObject({
      state: 'failed',
      failureReason: 'script_failure',
      summary: 'The job failed: exit code 1. Metrics: failed (its workflow was ended before they were collected).',
      traceBytes: 5,
      heldUntil: null,
      metrics: 'failed',
    });
  });

  it('still says which key is missing', () => {
    const sealed = status({ unknownKey: 'k', summary: 'Its content is sealed with key "k".' });

    expect(statusOfCutShort(sealed, CLOSED)).toMatchObject({ state: 'canceled', summary: sealed.summary });
  });

  it('is whole when everything had come', () => {
    expect(isCutShort(status({ state: 'success' }))).toBe(false);
  });
});
