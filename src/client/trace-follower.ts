import { setTimeout as delay } from 'node:timers/promises';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';

/** Between two questions to Temporal whether the job is over. */
const ASK_MS = 4_000;

/**
 * A job's trace from the store. Following, it ends when the trace is whole, or when the job is known to write no more.
 * @param isOver asked now and then while nothing new comes
 */
export async function* followTrace(
  store: Store,
  workflowId: string,
  options: { follow: boolean; isOver: () => Promise<boolean>; signal?: AbortSignal },
): AsyncGenerator<Buffer, void, undefined> {
  const key = jobKeys.trace(workflowId);
  let offset = 0;
  let idleLooks = 0;
  for (;;) {
    options.signal?.throwIfAborted();
    // Asked before reading: what is there after the end was announced is all there is.
    const complete = (await store.size(jobKeys.traceComplete(workflowId))) !== undefined;
    const size = (await store.size(key)) ?? 0;
    if (size > offset) {
      for await (const chunk of (await store.stream(key, { start: offset, end: size })) ?? []) {
        offset += (chunk as Buffer).length;
        yield chunk as Buffer;
      }
      idleLooks = 0;
      continue;
    }
    if (complete || !options.follow) return;
    idleLooks += 1;
    if (idleLooks % Math.ceil(ASK_MS / store.lookMs) === 0 && (await options.isOver())) return;
    await delay(store.lookMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}
