import { CancellationScope, isCancellation, log, patched } from '@temporalio/workflow';
import type { CollectMetricsInput, DeliverResult } from '../contracts/activities.js';
import type { ArtifactStatus, Coordinator } from '../contracts/ci-job.js';
import { coordinatorActivities, earlyMetricsActivities } from './activity-stubs.js';
import { atMost } from './at-most.js';
import type { JobContext } from './job-context.js';

/** An upload that was told to stop stops with its next heartbeat; one whose worker is dead must not hold up the job. */
const STOP_MS = 3_000;

/** The coordinator's copy of the metrics: made of the samples that are there when the script ends, and sent at once. */
export interface MetricsOffer {
  /** Whether the coordinator has it. Resolves when nothing more is sent. */
  readonly taken: Promise<boolean>;
  /** It was sent and not answered in time: the coordinator may have it. Known when `taken` is. */
  isUnanswered(): boolean;
  /** Nothing is sent any more. */
  giveUp(): void;
  /** Give it its chance while the grace lasts; after this nothing is sent, so the final status may go out. */
  wait(): Promise<void>;
  /** Without a chance: what is being sent just now must not come after the final status. */
  stop(): Promise<void>;
}

interface OfferTerms {
  giveUpAfterMs: number;
  graceMs: number;
  graceEndsAtMs: number;
  /** The coordinator may have got something from now on. */
  onSend: () => void;
}

export function offerMetrics(
  context: JobContext & { coordinator: Coordinator },
  request: CollectMetricsInput,
  { giveUpAfterMs, graceMs, graceEndsAtMs, onSend }: OfferTerms,
): MetricsOffer {
  const scope = new CancellationScope();
  let awaited = false;
  let sending: Promise<unknown> | undefined;
  let over = false;
  let unanswered = false;

  async function offer(): Promise<boolean> {
    const { artifact } = await whileNobodyWaits((untilMs) =>
      earlyMetricsActivities(giveUpAfterMs, `first metrics of ${request.machine}`).collectMetrics({
        ...request,
        early: true,
        untilMs,
      }),
    );
    // One that was withdrawn may have been made all the same; it must not be the one that is sent.
    if (artifact === undefined || scope.consideredCancelled) return false;
    onSend();
    // Until it is answered: what sends it may also be stopped.
    unanswered = true;
    const { ok, late } = await whileNobodyWaits((untilMs) => {
      const upload = send(artifact, untilMs);
      sending = upload;
      return upload;
    });
    unanswered = late === true;
    return ok;
  }

  /** As often as it is late while the job is busy with other things; each time for twice as long, or the history would fill. */
  async function whileNobodyWaits<T extends { late?: true }>(work: (untilMs: number) => Promise<T>): Promise<T> {
    for (let timeMs = graceMs; ; timeMs *= 2) {
      const nowMs = Date.now();
      const result = await work(nowMs < graceEndsAtMs ? graceEndsAtMs : nowMs + timeMs);
      if (result.late !== true || awaited || scope.consideredCancelled) return result;
    }
  }

  function send(artifact: ArtifactStatus, untilMs: number): Promise<DeliverResult> {
    const { taskQueue, spec, workflowId, coordinator } = context;
    return coordinatorActivities(taskQueue, spec.timeoutMs, 'upload metrics').deliverArtifacts({
      workflowId,
      coordinator,
      artifacts: [artifact],
      untilMs,
    });
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
    isUnanswered: () => unanswered,
    stop,
    giveUp: () => scope.cancel(),
    async wait() {
      if (over) return;
      awaited = true;
      const leftMs = graceEndsAtMs - Date.now();
      // The activities end by themselves and are precise; this is for a worker that died with one. It takes a second at least.
      if (leftMs > 0 || !patched('grace-from-script-end'))
        await atMost(Math.max(1, leftMs), taken, 'grace for the upload of metrics');
      await stop();
    },
  };
}
