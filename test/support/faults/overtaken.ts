import { setTimeout as delay } from 'node:timers/promises';
import { until, type Process } from '../processes.js';
import type { Scene } from './scenario.js';

/** How long a worker is paused at least: well beyond the heartbeats of its activities. */
const PAUSE_MS = 30_000;
/** In which one that has woken would do its harm. */
const AWAKE_MS = 3_000;
const OVERTAKEN_MS = 120_000;

/**
 * Pauses the worker (SIGSTOP), starts another one beside it, and wakes it when the other one has gone on, after 30 s at the earliest.
 * The scene is left as it was: the other worker has stopped.
 * @param options.start another one, if not an ordinary one
 * @param options.wentOn whether the other one has; absent: it is not waited for
 * @param options.awake both are there
 */
export async function overtake(
  scene: Scene,
  options: { start?: () => Promise<Process>; wentOn?: () => Promise<boolean> | boolean; awake?: () => Promise<void> },
): Promise<void> {
  const { stack } = scene;
  const paused = stack.worker();
  paused.kill('SIGSTOP');
  const over = delay(PAUSE_MS);
  const other = await (options.start ?? (() => stack.startWorker({ beside: true })))();
  scene.repaired();
  if (options.wentOn !== undefined) await until('the other worker to go on', options.wentOn, OVERTAKEN_MS);
  await over;
  paused.kill('SIGCONT');
  await (options.awake ?? (() => delay(AWAKE_MS)))();
  await other.stop('SIGTERM');
}
