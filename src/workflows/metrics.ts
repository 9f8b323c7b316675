import { CancellationScope, isCancellation, log, sleep } from '@temporalio/workflow';
import type { MetricsResult, Provisioned } from '../contracts/activities.js';
import { coordinatorActivities, metricsActivities } from './activity-stubs.js';
import { messageOf } from './failure.js';
import type { JobContext } from './job-context.js';

/**
 * Of a machine that lived no longer Prometheus has seen a sample at most: no graph is worth the wait of a job that was over in an
 * instant. Its metrics go to the store alone.
 */
const WORTH_A_WAIT_MS = 2_000;
/** An upload that was told to stop stops with its next heartbeat; one whose worker is dead must not hold up the job. */
const STOP_MS = 3_000;

/** Collection runs beside everything else and never fails the job (law 6). */
export interface MetricsCollection {
  start(machine: Provisioned, scriptEndedAtMs: number): void;
  /**
   * Give the coordinator's upload its chance: at most the configured grace, nothing for a job without a coordinator. After this
   * nothing is uploaded any more: the final status may go out.
   */
  waitGrace(): Promise<void>;
  /** The coordinator takes nothing more of this job. */
  coordinatorGone(): void;
}

export function createMetricsCollection(job: () => JobContext): MetricsCollection {
  let collection: Promise<void> | undefined;
  let graceMs = 0;
  let graceOver = false;
  let uploading: CancellationScope | undefined;
  let uploaded: Promise<unknown> = Promise.resolve();
  /** Attempt of the machine whose metrics are the job's. */
  let latest = 0;
  let graceEndsAtMs: number | undefined;

  async function collect(context: JobContext, machine: Provisioned, endMs: number): Promise<void> {
    try {
      const result = await metricsActivities(
        machine.metrics.giveUpAfterMs,
        `metrics of ${machine.machine}`,
      ).collectMetrics({
        workflowId: machine.workflowId,
        attempt: machine.attempt,
        machine: machine.machine,
        engine: machine.engine,
        name: context.spec.name,
        project: context.spec.project,
        window: { startMs: machine.provisioningAtMs, endMs },
        stages: [
          { name: 'prepare_executor', startedAtMs: machine.provisioningAtMs, finishedAtMs: machine.readyAtMs },
          ...context.journal.stages(),
        ],
        limits: machine.limits,
        oomKills: context.journal.status.steps.filter((step) => step.oomKilled === true).length,
        toCoordinator: context.coordinator !== undefined,
      });
      if (machine.attempt !== latest) return;
      const told = (await isUploaded(context, result))
        ? ({ state: 'uploaded', reason: 'sent with the job' } as const)
        : { state: result.state, reason: result.reason };
      if (machine.attempt === latest) context.journal.metrics(told.state, told.reason, result.flags);
    } catch (error) {
      if (machine.attempt === latest) context.journal.metrics('failed', messageOf(error));
    }
  }

  /** GitLab takes the artifact only while the job has no final status; what comes later stays in the store. */
  async function isUploaded({ coordinator, ...context }: JobContext, { artifact }: MetricsResult): Promise<boolean> {
    if (coordinator === undefined || artifact === undefined || graceOver) return false;
    try {
      const activities = coordinatorActivities(context.taskQueue, context.spec.timeoutMs, 'upload metrics');
      const { workflowId } = context;
      uploading = new CancellationScope();
      // Before the grace has begun its whole length is to come.
      const leftMs = graceEndsAtMs === undefined ? undefined : Math.max(1, graceEndsAtMs - Date.now());
      const limit = leftMs === undefined ? {} : { limitMs: leftMs };
      const upload = uploading.run(() =>
        activities.deliverArtifacts({ workflowId, coordinator, artifacts: [artifact], ...limit }),
      );
      uploaded = upload.catch(() => undefined);
      return (await upload).ok;
    } catch (error) {
      if (!isCancellation(error)) log.warn('The metrics could not be uploaded', { error });
      return false;
    }
  }

  function giveUpUpload(): void {
    graceOver = true;
    uploading?.cancel();
  }

  return {
    coordinatorGone: giveUpUpload,
    start(machine, scriptEndedAtMs) {
      const context = job();
      // What an earlier machine of the job has still to say no longer counts, and is not sent any more.
      latest = machine.attempt;
      uploading?.cancel();
      if (context.journal.status.metrics !== 'pending') context.journal.metrics('pending', null);
      if (!machine.metrics.enabled) {
        context.journal.metrics('none', null);
        return;
      }
      graceMs = context.coordinator === undefined || isTooShort(machine, scriptEndedAtMs) ? 0 : machine.metrics.graceMs;
      collection = collect(context, machine, scriptEndedAtMs);
      context.background(collection);
    },
    async waitGrace() {
      const { journal } = job();
      if (collection === undefined && journal.status.metrics === 'pending')
        journal.metrics('none', 'the job never had a machine');
      if (collection !== undefined && graceMs > 0) {
        graceEndsAtMs = Date.now() + graceMs;
        await Promise.race([collection, sleep(graceMs, { summary: 'grace for the upload of metrics' })]);
      }
      giveUpUpload();
      // What is being sent just now must not come after the final status.
      if (uploading !== undefined)
        await Promise.race([uploaded, sleep(STOP_MS, { summary: 'end of the upload of metrics' })]);
    },
  };
}

function isTooShort({ readyAtMs }: Provisioned, scriptEndedAtMs: number): boolean {
  return scriptEndedAtMs - readyAtMs < WORTH_A_WAIT_MS;
}
