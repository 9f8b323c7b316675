import { sleep } from '@temporalio/workflow';
import type { Provisioned } from '../contracts/activities.js';
import { metricsActivities } from './activity-stubs.js';
import { messageOf } from './failure.js';
import type { JobContext } from './job-context.js';

/** Collection runs beside everything else and never fails the job (law 6). */
export interface MetricsCollection {
  start(machine: Provisioned, scriptEndedAtMs: number): void;
  /** Give the coordinator's upload its chance: at most the configured grace, nothing for a job without a coordinator. */
  waitGrace(): Promise<void>;
}

export function createMetricsCollection(job: () => JobContext): MetricsCollection {
  let collection: Promise<void> | undefined;
  let graceMs = 0;

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
        window: { startMs: machine.readyAtMs, endMs },
        stages: context.journal.stages(),
        toCoordinator: context.coordinator !== undefined,
      });
      context.journal.metrics(result.state, result.reason, result.flags);
    } catch (error) {
      context.journal.metrics('failed', messageOf(error));
    }
  }

  return {
    start(machine, scriptEndedAtMs) {
      const context = job();
      if (!machine.metrics.enabled) {
        context.journal.metrics('none', null);
        return;
      }
      graceMs = context.coordinator === undefined ? 0 : machine.metrics.graceMs;
      // The state of an earlier machine of the job no longer counts.
      collection = collect(context, machine, scriptEndedAtMs);
      context.background(collection);
    },
    async waitGrace() {
      if (collection !== undefined && graceMs > 0) await Promise.race([collection, sleep(graceMs)]);
    },
  };
}
