import type Docker from 'dockerode';
import { isNotFound } from './errors.js';

/** For what an engine answers at once: without an answer the connection has died. */
export const ANSWER_MS = 30_000;

/** Being removed, in which its files and its log go first; `dead`: that has failed half-way. */
const GOING = ['removing', 'dead'];

/** @returns undefined when the container is gone, or going @throws when the engine cannot be reached, or does not answer */
export async function inspect(
  container: Docker.Container,
  signal?: AbortSignal,
): Promise<Docker.ContainerInspectInfo | undefined> {
  try {
    const info = await answered((abortSignal) => container.inspect({ abortSignal }), signal);
    return GOING.includes(info.State.Status) ? undefined : info;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/**
 * The limit ends the wait, whatever the call does: one that is told to end may never settle.
 * @throws Error when `ask` has no answer in time; the signal's reason
 */
export async function answered<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
  limitMs = ANSWER_MS,
): Promise<T> {
  const limit = AbortSignal.timeout(limitMs);
  const over = signal === undefined ? limit : AbortSignal.any([signal, limit]);
  let leave: (() => void) | undefined;
  try {
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(over.reason as Error);
      over.addEventListener('abort', leave);
    });
    over.throwIfAborted();
    return await Promise.race([ask(over), left]);
  } catch (error) {
    signal?.throwIfAborted();
    if (limit.aborted) throw new Error(`the engine did not answer in ${String(limitMs / 1000)} s`, { cause: error });
    throw error;
  } finally {
    if (leave !== undefined) over.removeEventListener('abort', leave);
  }
}
