import type { TracePosition } from '../contracts/activities.js';
import { createLimiter, parseLimiterState, renderTail, serializeLimiterState } from '../trace/limiter.js';
import { createMasker } from '../trace/masker.js';
import { createPartPipeline } from '../trace/pipeline.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import type { TraceHub } from './trace-hub.js';

/** What shapes a trace besides its bytes; from the plan. */
export interface TraceRules {
  masks: string[];
  tokenPrefixes: string[];
  outputLimitBytes: number;
}

/**
 * One part of a trace on its way to the store. The same input gives the same bytes at the same offsets, so a part that was cut
 * off is simply written again from its beginning (law 3).
 */
export interface TracePart {
  write(text: string | Buffer): Promise<void>;
  /** The masker gives up what it held back; the limiter's state is kept for the next part. */
  close(): Promise<TracePosition>;
  /** As `close`, and the trace is over: notice and tail, if the limit was passed. */
  finish(): Promise<{ bytes: number }>;
}

export async function openTracePart(
  deps: { store: Store; hub: TraceHub },
  workflowId: string,
  from: TracePosition,
  rules: TraceRules,
): Promise<TracePart> {
  const { store, hub } = deps;
  const part = from.part + 1;
  let offset = from.uncertain === true ? await certainOffset(store, workflowId, part, from.offset) : from.offset;
  const saved = from.overLimit ? await store.read(jobKeys.traceTail(workflowId, from.part)) : undefined;
  const limiter = createLimiter({
    limitBytes: rules.outputLimitBytes,
    state: saved === undefined ? { headBytes: offset } : parseLimiterState(saved.toString('utf8')),
  });
  const pipeline = createPartPipeline({
    masker: createMasker({ phrases: rules.masks, tokenPrefixes: rules.tokenPrefixes }),
    limiter,
  });

  async function append(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    await store.writeAt(jobKeys.trace(workflowId), offset, bytes);
    offset += bytes.length;
    hub.grown(workflowId);
  }

  return {
    async write(text) {
      await append(pipeline.push(text));
    },
    async close() {
      await append(pipeline.end());
      const state = limiter.state();
      const overLimit = state.tail.length > 0;
      if (overLimit) await store.write(jobKeys.traceTail(workflowId, part), serializeLimiterState(state));
      return { part, offset, overLimit };
    },
    async finish() {
      await append(pipeline.end());
      await append(renderTail(limiter.state()));
      return { bytes: offset };
    },
  };
}

/** An activity that was cut off may have written more than anyone knows: begin after it, and remember where. */
async function certainOffset(store: Store, workflowId: string, part: number, atLeast: number): Promise<number> {
  const key = jobKeys.traceBase(workflowId, part);
  const known = await store.read(key);
  if (known !== undefined) return Number(known.toString('utf8'));
  const base = Math.max(atLeast, (await store.size(jobKeys.trace(workflowId))) ?? 0);
  await store.write(key, String(base));
  return base;
}
