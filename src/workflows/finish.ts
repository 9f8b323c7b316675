import type { ReportOutcome } from '../contracts/activities.js';
import type { FinalJobState } from '../contracts/names.js';
import { finalLine } from '../trace/format.js';
import { finishActivities } from './activity-stubs.js';
import type { Report } from './coordinator.js';
import type { JobContext } from './job-context.js';
import { finalState, type Outcome } from './outcome.js';

/** The end of the trace, the report, and, where there is a coordinator, its word that it has taken it. */
export async function finishJob(job: JobContext, outcome: Outcome, report: Report | undefined): Promise<Outcome> {
  const trace = await job.trace.drain();
  const { traceBytes } = await finishActivities().finishJob({
    workflowId: job.workflowId,
    attempt: job.journal.status.attempts,
    trace,
    text: job.trace.takePending() + finalLine(outcome),
    report: {
      state: finalState(outcome),
      failureReason: outcome.kind === 'failed' ? outcome.reason : outcome.kind === 'canceled' ? 'job_canceled' : null,
      exitCode: outcome.kind === 'failed' ? outcome.exitCode : null,
    },
    status: job.journal.preview(outcome),
    pool: job.spec.pool,
    source: job.coordinator === undefined ? 'client' : 'gitlab',
    times: {
      queuedAtMs: job.queuedAtMs,
      startedAtMs: job.journal.status.startedAt === null ? null : Date.parse(job.journal.status.startedAt),
      finishedAtMs: Date.now(),
    },
    stages: job.journal.stages(),
  });
  const delivery = await report?.outcome;
  if (job.journal.status.machine === null) job.journal.metrics('none', 'the job had no machine');
  job.journal.decided(outcome, traceBytes);
  const word = delivery === undefined ? undefined : wordOf(delivery, finalState(outcome));
  if (word !== undefined) job.journal.note(word);
  return outcome;
}

/** What people are to know of the coordinator's side, where it is not as it should be. */
function wordOf(delivery: ReportOutcome, ours: FinalJobState): string | undefined {
  switch (delivery.kind) {
    case 'undelivered':
      return `Done, undelivered: the coordinator could not be told (${delivery.reason}). Trace and artifacts are in the store.`;
    case 'aborted':
      return endedByItself(delivery.coordinatorState);
    case 'delivered':
      return ['success', 'failed', 'canceled'].includes(delivery.coordinatorState) &&
        !says(delivery.coordinatorState, ours)
        ? endedByItself(delivery.coordinatorState)
        : undefined;
    case 'cancelRequested':
      return undefined;
  }
}

/** A canceled job is reported as failed (gitlab-protocol section 3.5), and stays so where the coordinator had not asked for it. */
function says(coordinatorState: string, ours: FinalJobState): boolean {
  return coordinatorState === ours || (ours === 'canceled' && coordinatorState === 'failed');
}

function endedByItself(state: string | null): string {
  const how = state === null ? 'and does not know it any more' : `as "${state}" by itself`;
  return `The coordinator has ended the job ${how}; what is said here is how it ended for us. Trace and artifacts are in the store.`;
}
