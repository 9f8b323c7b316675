import { CancellationScope, sleep } from '@temporalio/workflow';

/** The timer is cancelled when it is no longer needed: one event, where its firing would be a task of the workflow. */
export async function atMost(ms: number, work: Promise<unknown>, summary: string): Promise<void> {
  const timer = new CancellationScope();
  await Promise.race([work, timer.run(() => sleep(ms, { summary })).catch(() => undefined)]);
  timer.cancel();
}
