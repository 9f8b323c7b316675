import { CancellationScope } from '@temporalio/workflow';
import type { CollectMetricsInput, MetricsResult, Provisioned } from '../contracts/activities.js';
import { metricsActivities } from './activity-stubs.js';
import { messageOf } from './failure.js';
import type { JobContext } from './job-context.js';
import { offerMetrics, type MetricsOffer } from './metrics-offer.js';
import { runsAgain, type Outcome } from './outcome.js';

/** Of a machine that lived no longer Prometheus has seen a sample at most: there is nothing to send yet when its job is over. */
const WORTH_SENDING_MS = 2_000;
/**
 * Of the grace, at most this part has passed when the workflow hears of the script's end: it takes some hundredths of a second. What
 * seems more is another clock, or a worker that was away.
 */
const PASSED_UNHEARD = 1 / 8;

const UNANSWERED =
  'sent with the job, but not confirmed before the grace was over: the coordinator may have it; kept in the store';

/** Collection runs beside everything else and never fails the job (law 6). */
export interface MetricsCollection {
  /** @param outcome what the script came to */
  start(machine: Provisioned, scriptEndedAtMs: number, outcome: Outcome): void;
  /**
   * Give the coordinator's upload its chance: at most the configured grace, nothing for a job without a coordinator. After this
   * nothing is uploaded any more: the final status may go out.
   */
  waitGrace(): Promise<void>;
  /** The coordinator takes nothing more of this job. */
  coordinatorGone(): void;
}

export function createMetricsCollection(job: () => JobContext): MetricsCollection {
  let collecting: CancellationScope | undefined;
  let offer: MetricsOffer | undefined;
  /** Of an earlier machine: its upload was told to stop, but may not have heard of it. */
  let withdrawn: MetricsOffer | undefined;
  /** The coordinator takes the artifact once: another machine's would be other bytes. */
  let mayBeSent = true;

  /** First what the coordinator gets, then the rest: the two never write at the same time. */
  async function collect(machine: Provisioned, request: CollectMetricsInput, scope: CancellationScope): Promise<void> {
    const { journal, taskQueue } = job();
    const uploaded = offer !== undefined && (await offer.taken);
    if (scope.consideredCancelled) return;
    if (uploaded) journal.metrics('uploaded', 'sent with the job; the last scrape is still to come');
    const told = await lastCollection(taskQueue, machine, request, uploaded);
    // GitLab is not asked again: after the final status it answers nothing about artifacts.
    const reason = told.state === 'stored' && offer?.isUnanswered() === true ? UNANSWERED : told.reason;
    if (!scope.consideredCancelled) journal.metrics(told.state, reason, told.flags);
  }

  function offerOf(machine: Provisioned, request: CollectMetricsInput, outcome: Outcome): typeof offer {
    const { coordinator, ...context } = job();
    const { giveUpAfterMs, graceMs } = machine.metrics;
    if (coordinator === undefined || !mayBeSent || graceMs === 0) return undefined;
    if (request.window.endMs - machine.readyAtMs < WORTH_SENDING_MS) return undefined;
    if (runsAgain(context.spec, outcome, machine.attempt) && context.interruptions.canceled() === undefined)
      return undefined;
    return offerMetrics({ ...context, coordinator }, request, {
      giveUpAfterMs,
      graceMs,
      graceEndsAtMs: endOfWork(machine, request) + graceMs,
      onSend: () => (mayBeSent = false),
    });
  }

  return {
    coordinatorGone() {
      mayBeSent = false;
      offer?.giveUp();
    },
    start(machine, scriptEndedAtMs, outcome) {
      const context = job();
      // What an earlier machine of the job has still to say no longer counts, and is not sent any more.
      collecting?.cancel();
      withdrawn = offer ?? withdrawn;
      offer = undefined;
      if (context.journal.status.metrics !== 'pending') context.journal.metrics('pending', null);
      if (!machine.metrics.enabled) {
        context.journal.metrics('none', null);
        return;
      }
      const scope = new CancellationScope();
      collecting = scope;
      const request = requestOf(context, machine, scriptEndedAtMs);
      context.background(
        scope.run(() => {
          offer = offerOf(machine, request, outcome);
          return collect(machine, request, scope);
        }),
      );
    },
    async waitGrace() {
      const { journal } = job();
      if (collecting === undefined && journal.status.metrics === 'pending')
        journal.metrics('none', 'the job never had a machine');
      await Promise.all([offer?.wait(), withdrawn?.stop()]);
    },
  };
}

/** When the script ended, as the step that ran it tells: from then on people wait, not from when the workflow has heard of it. */
function endOfWork({ readyAtMs, metrics }: Provisioned, { window, stages }: CollectMetricsInput): number {
  const toldMs = Math.max(readyAtMs, ...stages.map(({ finishedAtMs }) => finishedAtMs));
  return Math.min(window.endMs, Math.max(toldMs, window.endMs - metrics.graceMs * PASSED_UNHEARD));
}

async function lastCollection(
  taskQueue: string,
  machine: Provisioned,
  request: CollectMetricsInput,
  uploaded: boolean,
): Promise<Pick<MetricsResult, 'state' | 'reason'> & { flags?: string[] }> {
  const summary = `metrics of ${machine.machine}`;
  try {
    return await metricsActivities(taskQueue, machine.metrics.giveUpAfterMs, summary).collectMetrics(request);
  } catch (error) {
    const why = messageOf(error);
    if (uploaded) return { state: 'uploaded', reason: `sent with the job; without the last scrape: ${why}` };
    return { state: 'failed', reason: why };
  }
}

function requestOf(context: JobContext, machine: Provisioned, endMs: number): CollectMetricsInput {
  return {
    workflowId: machine.workflowId,
    attempt: machine.attempt,
    machine: machine.machine,
    engine: machine.engine,
    ...(machine.metrics.label === undefined ? {} : { label: machine.metrics.label }),
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
  };
}
