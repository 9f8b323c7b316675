import type { Activities, FinishJobInput } from '../contracts/activities.js';
import { REASON_FAULTS } from '../contracts/faults.js';
import { DEFAULT_OUTPUT_LIMIT_BYTES } from '../contracts/job-spec.js';
import type { JobPlan } from '../job/plan.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import { createChecksum } from '../trace/checksum.js';
import { beating } from './beat.js';
import type { SharedDeps } from './deps.js';
import { withTracePart } from './trace-part.js';

/** Written once the trace is whole; readers stop here. */
export interface TraceComplete {
  bytes: number;
  /** `crc32:` and eight hexadecimal digits, over all bytes. */
  checksum: string;
}

/** @returns activity `finishJob`: the end of the trace, the report, and the numbers that the worker keeps of its jobs */
export function createFinishJob(deps: SharedDeps): Pick<Activities, 'finishJob'> {
  return {
    finishJob: (input) =>
      beating(deps.lifecycle, async () => {
        const { store, hub } = deps;
        const known = await store.read(jobKeys.traceComplete(input.workflowId));
        if (known !== undefined) return { traceBytes: (JSON.parse(known.toString('utf8')) as TraceComplete).bytes };
        // A job that never came to a plan has nothing to mask.
        const stored = await deps.plans.find(input.workflowId, input.attempt);
        const rules = stored?.plan ?? { masks: [], tokenPrefixes: [], outputLimitBytes: DEFAULT_OUTPUT_LIMIT_BYTES };
        const { bytes } = await withTracePart(deps, input.workflowId, input.trace, rules, async (part) => {
          await part.write(input.text);
          return await part.finish();
        });
        await store.settle(jobKeys.trace(input.workflowId));
        const complete: TraceComplete = { bytes, checksum: await checksumOf(store, input.workflowId) };
        await store.write(jobKeys.report(input.workflowId), JSON.stringify({ ...input.report, times: input.times }));
        await keepStatus(store, input, bytes);
        await store.write(jobKeys.traceComplete(input.workflowId), JSON.stringify(complete));
        hub.grown(input.workflowId);
        await forgetDependencies(store, input.workflowId, stored?.plan);
        count(deps, input);
        return { traceBytes: bytes };
      }),
  };
}

/** A workflow of an earlier version does not send it. */
async function keepStatus(store: Store, input: FinishJobInput, traceBytes: number): Promise<void> {
  if (input.status === undefined) return;
  await store.write(jobKeys.status(input.workflowId), JSON.stringify({ ...input.status, traceBytes }));
}

/** They are the coordinator's, and large. */
async function forgetDependencies(store: Store, workflowId: string, plan: JobPlan | undefined): Promise<void> {
  for (const { id } of plan?.dependencies ?? []) await store.remove(jobKeys.dependency(workflowId, id));
}

async function checksumOf(store: Store, workflowId: string): Promise<string> {
  const checksum = createChecksum();
  for await (const chunk of (await store.stream(jobKeys.trace(workflowId))) ?? []) checksum.update(chunk as Buffer);
  return checksum.value();
}

function count({ metrics }: SharedDeps, input: FinishJobInput): void {
  const { report, times } = input;
  metrics.jobsTotal.inc({ source: input.source });
  if (report.state === 'failed') {
    const reason = report.failureReason ?? 'unknown_failure';
    metrics.failedJobsTotal.inc({ failure_reason: reason, fault: REASON_FAULTS[reason] });
  }
  const startedAtMs = times.startedAtMs ?? times.finishedAtMs;
  metrics.jobQueueDuration.observe(Math.max(0, startedAtMs - times.queuedAtMs) / 1000);
  metrics.jobDuration.observe(Math.max(0, times.finishedAtMs - startedAtMs) / 1000);
  for (const stage of input.stages) {
    metrics.jobStageDuration.observe({ stage: stage.name }, Math.max(0, stage.finishedAtMs - stage.startedAtMs) / 1000);
  }
}
