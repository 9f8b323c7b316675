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
  if (delivery?.kind === 'undelivered') {
    job.journal.note(
      `Done, undelivered: the coordinator could not be told (${delivery.reason}). Trace and artifacts are in the store.`,
    );
  }
  return outcome;
}
