import { CancellationScope, isCancellation, patched } from '@temporalio/workflow';
import { coordinatorActivities } from './activity-stubs.js';
import { atMost } from './at-most.js';
import type { Report } from './coordinator.js';
import { messageOf } from './failure.js';
import type { JobContext } from './job-context.js';
import { HELPER_EXIT_CODE, worse, type Outcome } from './outcome.js';

/** The report's sign of life is refused as the artifacts are, 30 s later at most; some more for a coordinator that is away just then. */
const END_UNHEARD_MS = 120_000;

/**
 * The artifacts, from the store to the coordinator: it takes them only while it has no final status, and a job whose artifacts
 * it will not have is not a success. The machine is no longer needed for it. Waits as long as the coordinator keeps the job; then
 * nobody is told of the job any more, and its own result stands.
 */
export async function deliverArtifacts(
  job: JobContext,
  outcome: Outcome,
  report: Report | undefined,
): Promise<Outcome> {
  const { coordinator } = job;
  const { artifacts } = job.journal.status;
  if (coordinator === undefined || report === undefined || artifacts.length === 0) return outcome;
  const scope = new CancellationScope();
  // Without the conversation the coordinator has no use for artifacts either.
  void report.outcome.then(() => scope.cancel());
  try {
    const names = artifacts.map(({ type }) => type).join(', ');
    const result = await scope.run(() =>
      coordinatorActivities(job.taskQueue, job.spec.timeoutMs, `upload ${names}`).deliverArtifacts({
        workflowId: job.workflowId,
        coordinator,
        artifacts,
      }),
    );
    job.trace.write(result.text);
    if (result.gaveUp !== undefined) {
      report.giveUp(result.gaveUp);
      // It hears of that with its next heartbeat; until then it must not find the final status.
      await report.outcome;
      return outcome;
    }
    // A worker of this version may have sent them for a workflow of an earlier one, which took it for a failure.
    if (result.ended !== undefined && patched('ended-at-coordinator') && (await isOver(report, result.ended.as)))
      return outcome;
    return result.ok ? outcome : worse(outcome, uploadFailed('the coordinator did not take them'));
  } catch (error) {
    if (isCancellation(error)) return outcome;
    return worse(outcome, uploadFailed(messageOf(error)));
  }
}

/**
 * A job that is over at the coordinator has no use for artifacts. The report hears of its end, too, and then tells no final status: waited
 * for, or it would be sent one. A refusal alone proves nothing where it does not say how the job ended: whatever is in between may refuse.
 */
async function isOver(report: Report, as: string | null): Promise<boolean> {
  let heard = false;
  const hears = report.outcome.then(() => (heard = true));
  await atMost(END_UNHEARD_MS, hears, 'end of the job at the coordinator');
  return heard || as !== null;
}

/** As GitLab's runner has it: the job's own failure, since it says which files and how large. */
function uploadFailed(why: string): Outcome {
  return {
    kind: 'failed',
    reason: 'script_failure',
    exitCode: HELPER_EXIT_CODE,
    message: `artifacts were not uploaded: ${why}`,
  };
}
