import type { JobHandle } from '../../../src/client.js';
import type { CiJobResult, JobStatus } from '../../../src/contracts/ci-job.js';
import type { TraceComplete } from '../../../src/activities/finish-job.js';
import { jobKeys } from '../../../src/store/keys.js';
import { createChecksum } from '../../../src/trace/checksum.js';
import { until } from '../processes.js';
import type { Stack } from '../stack.js';
import { numberedJob, tally, type NumberedJob, type Tally } from './numbered-job.js';
import { watchTrace } from './trace-watch.js';

/** One fault, put into a running stack while a job runs. */
export interface Scenario {
  /** A sentence: what is broken, and when. */
  name: string;
  job?: Parameters<typeof numberedJob>[0];
  /** Before the job starts. */
  prepare?(stack: Stack): void;
  /** Breaks something, repairs it, and says when it is whole again; the job goes on meanwhile. */
  run(scene: Scene): Promise<void>;
  /** Default: success, one run, nothing lost. */
  expect?: { state?: CiJobResult['state']; failureReason?: string; runs?: number; linesMayBeLost?: boolean };
}

export interface Scene {
  stack: Stack;
  job: NumberedJob;
  handle: JobHandle;
  /** Waits until the line is in the trace. */
  line(number: number): Promise<void>;
  /** Waits until the step runs (the workflow says so). */
  step(name: string): Promise<void>;
  trace(): Promise<string>;
  status(): Promise<JobStatus>;
  /** What was broken is whole again: from here the standstill of the trace counts. */
  repaired(): void;
}

/** What a scenario came to. Everything but `secondsUntilMoved`, `runs` and the states is to be 0. */
export interface Figures extends Tally {
  scenario: string;
  jobsLost: number;
  state: string;
  failureReason: string | null;
  /** From the repair until the trace grew again; null: nothing was to come any more. */
  secondsUntilMoved: number | null;
  leftovers: number;
  checksumWrong: number;
  /** At the coordinator, where there is one. */
  coordinator: string;
  tookSeconds: number;
}

const RESULT_MS = 150_000;

export async function playScenario(stack: Stack, scenario: Scenario): Promise<Figures> {
  scenario.prepare?.(stack);
  const job = numberedJob(scenario.job);
  const begun = Date.now();
  const handle = await stack.client.startJob(job.definition, { id: job.id });
  const watch = watchTrace(stack.client.store, handle.workflowId);
  let repairedAt: number | undefined;
  try {
    await scenario.run(sceneOf(stack, job, handle, () => (repairedAt = Date.now())));
    const result = await withLimit(handle.result());
    const trace = await readTrace(stack, handle.workflowId);
    const moved = repairedAt === undefined ? undefined : watch.movedAfter(repairedAt);
    return {
      scenario: scenario.name,
      jobsLost: result === undefined ? 1 : 0,
      state: result?.state ?? 'no result',
      failureReason: result?.failureReason ?? null,
      ...tally(job, trace.toString('utf8'), stack.shared),
      secondsUntilMoved: moved === undefined || repairedAt === undefined ? null : (moved - repairedAt) / 1000,
      leftovers: await leftoversOf(stack),
      checksumWrong: await checksumWrong(stack, handle.workflowId, trace),
      coordinator: '',
      tookSeconds: (Date.now() - begun) / 1000,
    };
  } finally {
    watch.stop();
  }
}

function sceneOf(stack: Stack, job: NumberedJob, handle: JobHandle, repaired: () => void): Scene {
  const trace = async () => (await readTrace(stack, handle.workflowId)).toString('utf8');
  return {
    stack,
    job,
    handle,
    trace,
    status: () => handle.status(),
    repaired,
    line: (number) =>
      until(
        `line ${String(number)}`,
        async () => (await trace()).includes(`line ${String(number)} of ${job.id}\n`),
        90_000,
      ),
    step: (name) =>
      until(
        `step ${name}`,
        async () => (await handle.status()).steps.some((step) => step.name === name && step.state === 'running'),
        90_000,
      ),
  };
}

async function readTrace(stack: Stack, workflowId: string): Promise<Buffer> {
  return (await stack.client.store.read(jobKeys.trace(workflowId))) ?? Buffer.alloc(0);
}

/** A job without a result after this time is lost. */
async function withLimit(result: Promise<CiJobResult>): Promise<CiJobResult | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), RESULT_MS);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The release runs after the final status, so it gets a moment. */
async function leftoversOf(stack: Stack): Promise<number> {
  await until('an engine without leftovers', () => stack.leftovers().length === 0, 30_000).catch(() => undefined);
  return stack.leftovers().length;
}

async function checksumWrong(stack: Stack, workflowId: string, trace: Buffer): Promise<number> {
  const kept = await stack.client.store.read(jobKeys.traceComplete(workflowId));
  if (kept === undefined) return 1;
  const complete = JSON.parse(kept.toString('utf8')) as TraceComplete;
  const checksum = createChecksum();
  checksum.update(trace);
  return complete.bytes === trace.length && complete.checksum === checksum.value() ? 0 : 1;
}
