import type { JobHandle } from '../../../src/client.js';
import type { CiJobResult } from '../../../src/contracts/ci-job.js';
import type { TraceComplete } from '../../../src/activities/finish-job.js';
import { jobKeys } from '../../../src/store/keys.js';
import { createChecksum } from '../../../src/trace/checksum.js';
import { until } from '../processes.js';
import type { Stack } from '../stack.js';
import type { Ground } from './ground.js';
import { tally, type NumberedJob } from './numbered-job.js';
import { replayDiffers } from './replays.js';
import type { Figures } from './scenario.js';
import type { Subject } from './subject.js';

export interface Examined {
  name: string;
  job: NumberedJob;
  subject: Subject;
  handle: JobHandle;
  /** Undefined: it never came. */
  result: CiJobResult | undefined;
  /** Nothing else runs on the ground, so whatever is on its engine in the end is left over. */
  alone: boolean;
  secondsUntilMoved: number | null;
  tookSeconds: number;
}

/** What became of a job that is over: read from the store, the engine, the coordinator and the file outside. */
export async function examine(ground: Ground, examined: Examined): Promise<Figures> {
  const { stack } = ground;
  const { name, job, subject, handle, result, alone, secondsUntilMoved, tookSeconds } = examined;
  const trace = await readTrace(stack, subject.workflowId);
  return {
    broken: [],
    scenario: name,
    jobsLost: result === undefined ? 1 : 0,
    state: result?.state ?? 'no result',
    failureReason: result?.failureReason ?? null,
    ...tally(job, trace.toString('utf8'), stack.shared),
    secondsUntilMoved,
    leftovers: await leftoversOf(stack, alone ? undefined : subject.workflowId),
    checksumWrong: await checksumWrong(stack, subject.workflowId, trace),
    replayDiffers: await replayDiffers(stack, subject.workflowId),
    ...(await atCoordinator(ground, subject, handle, trace)),
    tookSeconds,
  };
}

export async function readTrace(stack: Stack, workflowId: string): Promise<Buffer> {
  return (await stack.client.store.read(jobKeys.trace(workflowId))) ?? Buffer.alloc(0);
}

/** The release runs after the final status, so it gets a moment. */
export async function leftoversOf(stack: Stack, workflowId?: string): Promise<number> {
  await until('an engine without leftovers', () => stack.leftovers(workflowId).length === 0, 30_000).catch(
    () => undefined,
  );
  return stack.leftovers(workflowId).length;
}

async function checksumWrong(stack: Stack, workflowId: string, trace: Buffer): Promise<number> {
  const kept = await stack.client.store.read(jobKeys.traceComplete(workflowId));
  if (kept === undefined) return 1;
  const complete = JSON.parse(kept.toString('utf8')) as TraceComplete;
  const checksum = createChecksum();
  checksum.update(trace);
  return complete.bytes === trace.length && complete.checksum === checksum.value() ? 0 : 1;
}

async function atCoordinator(
  { gitlab }: Ground,
  { remote }: Subject,
  handle: JobHandle,
  trace: Buffer,
): Promise<Pick<Figures, 'coordinator' | 'violations' | 'traceDiffers'>> {
  if (gitlab === undefined || remote === undefined) return { coordinator: '', violations: 0, traceDiffers: 0 };
  const undelivered = (await handle.status()).summary.includes('Done, undelivered');
  const about = gitlab.coordinator.violations.filter(
    (text) => text.includes(`job ${String(remote.id)}`) || !/job \d+/.test(text),
  );
  return {
    coordinator: undelivered ? `${remote.status}, undelivered` : remote.status,
    violations: about.length,
    // The copy of a job whose end the coordinator was never told is a beginning of ours.
    traceDiffers: trace
      .subarray(0, remote.final === undefined ? remote.trace.length : trace.length)
      .equals(remote.trace)
      ? 0
      : 1,
  };
}
