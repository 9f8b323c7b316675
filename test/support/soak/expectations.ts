import type { Expectation, Figures } from '../faults/scenario.js';
import { FAILING_EXIT_CODE } from './jobs.js';
import type { PlannedJob } from './plan.js';

/** No fault of a soak costs a job anything, so what its kind comes to does not depend on them. */
export function expectationOf({ kind, from }: PlannedJob, figures: Pick<Figures, 'runs' | 'afterRuns'>): Expectation {
  const atCoordinator = (state: string) => ({ coordinator: from === 'gitlab' ? state : '' });
  /** Ended before its script, or in it. */
  const cutOff = { linesMayBeLost: true, runs: Math.min(1, figures.runs), afterRuns: Math.min(1, figures.afterRuns) };
  const once = { afterRuns: 1 };
  switch (kind) {
    case 'failing':
    case 'held':
      return { ...once, state: 'failed', failureReason: 'script_failure', ...atCoordinator('failed') };
    case 'canceled':
      return { ...cutOff, state: 'canceled', failureReason: 'job_canceled', ...atCoordinator('canceled') };
    case 'timeout':
      return { ...cutOff, state: 'failed', failureReason: 'job_execution_timeout', ...atCoordinator('failed') };
    case 'retried':
      return { runs: within(figures.runs), afterRuns: within(figures.afterRuns), ...atCoordinator('success') };
    default:
      return { ...once, ...atCoordinator('success') };
  }
}

/** One machine was taken away, at any time: in its script, in its after_script, before them or not at all. */
function within(runs: number): number {
  return Math.min(2, Math.max(1, runs));
}

/** What a job's script ended with; null: it is not promised. */
export function exitCodeOf({ kind }: PlannedJob): number | null {
  return kind === 'failing' || kind === 'held' ? FAILING_EXIT_CODE : null;
}

/** Whose fault the failure is told to be; `undefined`: not promised. */
export function faultOf({ kind }: PlannedJob): 'user' | null | undefined {
  if (kind === 'failing' || kind === 'held') return 'user';
  return kind === 'canceled' || kind === 'timeout' ? undefined : null;
}
