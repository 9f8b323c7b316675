import { CancellationScope, isCancellation, log, sleep } from '@temporalio/workflow';
import type { CollectMetricsInput } from '../contracts/activities.js';
import type { Coordinator } from '../contracts/ci-job.js';
import { coordinatorActivities, earlyMetricsActivities } from './activity-stubs.js';
import type { JobContext } from './job-context.js';

/** An upload that was told to stop stops with its next heartbeat; one whose worker is dead must not hold up the job. */
const STOP_MS = 3_000;

/** The coordinator's copy of the metrics: made of the samples that are there when the script ends, and sent at once. */
export interface MetricsOffer {
  /** Whether the coordinator has it. Resolves when nothing more is sent. */
  readonly taken: Promise<boolean>;
  /** Nothing is sent any more. */
  giveUp(): void;
  /** Give it its chance, at most so long; after this nothing is sent, so the final status may go out. */
  waitAtMost(graceMs: number): Promise<void>;
  /** Without a chance: what is being sent just now must not come after the final status. */
  stop(): Promise<void>;
}

/** @param onSend called once, when the coordinator may have got something from now on */
export function offerMetrics(
  context: JobContext & { coordinator: Coordinator },
  request: CollectMetricsInput,
  giveUpAfterMs: number,
  onSend: () => void,
): MetricsOffer {
  const scope = new CancellationScope();
  let graceEndsAtMs: number | undefined;
  let sending: Promise<unknown> | undefined;
  let over = false;

  async function offer(): Promise<boolean> {
    const { artifact } = await earlyMetricsActivities(
      giveUpAfterMs,
      `first metrics of ${request.machine}`,
    ).collectMetrics({
      ...request,
      early: true,
    });
    // One that was withdrawn may have been made all the same; it must not be the one that is sent.
    if (artifact === undefined || scope.consideredCancelled) return false;
    const { taskQueue, spec, workflowId, coordinator } = context;
    onSend();
    const upload = coordinatorActivities(taskQueue, spec.timeoutMs, 'upload metrics').deliverArtifacts({
      workflowId,
      coordinator,
      artifacts: [artifact],
      // Before the grace has begun its whole length is to come.
      ...(graceEndsAtMs === undefined ? {} : { limitMs: Math.max(1, graceEndsAtMs - Date.now()) }),
    });
    sending = upload;
    return (await upload).ok;
  }

  const taken = scope
    .run(offer)
    .catch((error: unknown) => {
      if (!isCancellation(error)) log.warn('The metrics could not be sent with the job', { error });
      return false;
    })
    .finally(() => (over = true));

  async function stop(): Promise<void> {
    if (over) return;
    scope.cancel();
    if (sending !== undefined) await atMost(STOP_MS, taken, 'end of the upload of metrics');
  }

  return {
    taken,
    stop,
    giveUp: () => scope.cancel(),
    async waitAtMost(graceMs) {
      if (over) return;
      graceEndsAtMs = Date.now() + graceMs;
      await atMost(graceMs, taken, 'grace for the upload of metrics');
      await stop();
    },
  };
}

/** The timer is cancelled when it is no longer needed: one event, where its firing would be a task of the workflow. */
async function atMost(ms: number, work: Promise<unknown>, summary: string): Promise<void> {
  const timer = new CancellationScope();
  await Promise.race([work, timer.run(() => sleep(ms, { summary })).catch(() => undefined)]);
  timer.cancel();
}
