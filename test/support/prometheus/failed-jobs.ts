import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import type { HoldfastClient } from '../../../src/client.js';
import type { CollectMetricsInput } from '../../../src/contracts/activities.js';
import { CI_JOB_WORKFLOW } from '../../../src/contracts/names.js';
import { jobKeys } from '../../../src/store/keys.js';
import type { PastMachine } from './samples.js';

/** A job that is over and whose metrics failed, as Temporal and the store know it; its machine is in the past. */
export interface FailedJob {
  id: string;
  past: PastMachine;
}

export function failedJobs(count: number, endMs: number, prefix = 'past'): FailedJob[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `${prefix}-${String(at)}`,
    past: { machine: `hf-${prefix}-${String(at)}`, startMs: endMs - 60_000, endMs: endMs + 10_000, everyMs: 5000 },
  }));
}

/** Written as a worker would have; the workflow itself is ended by termination, so that it needs none. */
export async function writeFailedJobs(
  client: HoldfastClient,
  engine: string,
  jobs: readonly FailedJob[],
): Promise<void> {
  const queue = [...jobs];
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let job = queue.shift(); job !== undefined; job = queue.shift()) await writeFailedJob(client, engine, job);
    }),
  );
}

async function writeFailedJob(client: HoldfastClient, engine: string, { id, past }: FailedJob): Promise<void> {
  const workflowId = `job/${id}`;
  const request: CollectMetricsInput = {
    workflowId,
    attempt: 1,
    machine: past.machine,
    engine,
    name: 'build',
    project: 'group/project',
    window: { startMs: past.startMs, endMs: past.endMs - 10_000 },
    stages: [{ name: 'step_script', startedAtMs: past.startMs, finishedAtMs: past.endMs - 10_000 }],
    limits: { cpus: null, memoryBytes: null },
    oomKills: 0,
    toCoordinator: false,
  };
  await client.store.write(jobKeys.metricsRequest(workflowId), JSON.stringify(request));
  const handle = await client.temporal.workflow.start(CI_JOB_WORKFLOW, {
    workflowId,
    taskQueue: 'nobody-is-here',
    args: [{ version: 1, job: {} }],
    typedSearchAttributes: new TypedSearchAttributes([
      { key: defineSearchAttributeKey('HoldfastJobState', 'KEYWORD'), value: 'success' },
      { key: defineSearchAttributeKey('HoldfastMetrics', 'KEYWORD'), value: 'failed' },
    ]),
  });
  await handle.terminate('seeded by a test');
}
