import { TypedSearchAttributes } from '@temporalio/common';
import type { JobHandle } from '../src/client.js';
import { CI_JOB_WORKFLOW, jobWorkflowId } from '../src/contracts/names.js';
import { parseJobObject } from '../src/job/job-file.js';
import { jobFileToSpec } from '../src/job/to-spec.js';
import { until } from '../test/support/processes.js';
import { docker } from '../test/support/docker.js';
import { type Stack } from '../test/support/stack.js';
import { IMAGE } from './bench.js';
import { secondsSince } from './raw-docker.js';

/** Runs a job to its final status. @throws Error when that is not success */
export async function timedJob(stack: Stack, script: string[]): Promise<{ seconds: number; job: JobHandle }> {
  const startedAt = performance.now();
  const job = await stack.client.startJob({ image: IMAGE, script });
  await succeeded(job);
  return { seconds: secondsSince(startedAt), job };
}

export async function succeeded(job: JobHandle): Promise<void> {
  const result = await job.result();
  if (result.state !== 'success') {
    throw new Error(`Job ${job.id} is ${result.state}: ${String(result.failureMessage)}`);
  }
}

/** The next job finds what a job on a quiet worker finds: nothing of the last one, and a warm sandbox. */
export async function untilQuiet(engine: string, warm = 1): Promise<void> {
  await until(
    `a quiet engine ${engine}`,
    () => {
      const all = docker(
        'ps',
        '-a',
        '--filter',
        `label=holdfast.engine=${engine}`,
        '--format',
        '{{.Names}} {{.State}}',
      );
      return all.length >= warm && all.every((container) => /-warm-\S+ running$/.test(container));
    },
    120_000,
  );
}

export async function untilClosed(stack: Stack, workflowId: string): Promise<void> {
  await stack.client.temporal.workflow.getHandle(workflowId).result();
}

/** A job file has no word for the limit of its trace; whoever starts the workflow has. */
export async function startWithTraceLimit(
  stack: Stack,
  script: string[],
  outputLimitBytes: number,
): Promise<JobHandle> {
  const parsed = parseJobObject({ image: IMAGE, script });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const id = `bench${Date.now().toString(36)}`;
  await stack.client.temporal.workflow.start(CI_JOB_WORKFLOW, {
    workflowId: jobWorkflowId(id),
    taskQueue: 'holdfast',
    args: [{ version: 1, spec: { ...jobFileToSpec(parsed.job), outputLimitBytes } }],
    typedSearchAttributes: new TypedSearchAttributes([]),
  });
  return await stack.client.job(jobWorkflowId(id));
}

/** Works one after another until none is left, `abreast` at a time. */
export async function abreast<T>(count: number, width: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) results.push(await work(next++));
    }),
  );
  return results;
}
