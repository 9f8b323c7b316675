import type { TracePosition } from '../contracts/activities.js';
import {
  createLimiter,
  isFull,
  parseLimiterState,
  renderTail,
  serializeLimiterState,
  type Limiter,
} from '../trace/limiter.js';
import { createMasker } from '../trace/masker.js';
import { warningLine, withoutSections } from '../trace/format.js';
import { createPartPipeline } from '../trace/pipeline.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import type { TraceHub } from './trace-hub.js';
import { createTraceWriter } from './trace-writer.js';

/** What shapes a trace besides its bytes; from the plan. */
export interface TraceRules {
  masks: string[];
  tokenPrefixes: string[];
  outputLimitBytes: number;
  /** `false`: the coordinator does not know section marks. */
  sections?: boolean;
}

/**
 * One part of a trace on its way to the store. The same input gives the same bytes at the same offsets, so a part that was cut
 * off is simply written again from its beginning (law 3).
 */
export interface TracePart {
  /** Aborts with its error when the store does not take what was written. */
  readonly failed: AbortSignal;
  write(text: string | Buffer): Promise<void>;
  /** Nothing more is written, and nothing is under way: the next part may begin. After a failure, in place of `close`. */
  abandon(): Promise<void>;
  /** The masker gives up what it held back; the limiter's state is kept for the next part. */
  close(): Promise<TracePosition>;
  /** As `close`, and the trace is over: notice and tail, if the limit was passed. */
  finish(): Promise<{ bytes: number }>;
}

async function openTracePart(
  deps: { store: Store; hub: TraceHub },
  workflowId: string,
  from: TracePosition,
  rules: TraceRules,
): Promise<TracePart> {
  const { store, hub } = deps;
  const part = from.part + 1;
  const offset = await baseOf(store, workflowId, part, from);
  const limiter = await limiterFor(store, { workflowId, from, offset, limitBytes: rules.outputLimitBytes });
  const pipeline = createPartPipeline({
    masker: createMasker({ phrases: rules.masks, tokenPrefixes: rules.tokenPrefixes }),
    limiter,
  });

  const key = jobKeys.trace(workflowId);
  const writer = createTraceWriter({ store, key, offset, grown: () => hub.grown(workflowId) });
  if (offset < from.offset) await writer.write(pipeline.push(lostLine(from.offset - offset)));

  /** What goes into history as an offset must still be there when the store's host has lost its power. */
  async function end(): Promise<number> {
    const bytes = await writer.close();
    await store.persist(key);
    return bytes;
  }

  return {
    failed: writer.failed,
    write(text) {
      // What a step prints comes as bytes and stays as it is.
      const kept = rules.sections === false && typeof text === 'string' ? withoutSections(text) : text;
      return writer.write(pipeline.push(kept));
    },
    abandon: () => writer.abandon(),
    async close() {
      await writer.write(pipeline.end());
      const state = limiter.state();
      const overLimit = state.tail.length > 0 || state.lost === true;
      if (overLimit) await store.write(jobKeys.traceTail(workflowId, part), serializeLimiterState(state));
      return { part, offset: await end(), overLimit };
    },
    async finish() {
      await writer.write(pipeline.end());
      await writer.write(renderTail(limiter.state()));
      return { bytes: await end() };
    },
  };
}

/** As the part before has left it; one that was cut off has left nothing, and what went past the limit in it is gone. */
async function limiterFor(
  store: Store,
  at: { workflowId: string; from: TracePosition; offset: number; limitBytes: number },
): Promise<Limiter> {
  const { workflowId, from, offset, limitBytes } = at;
  for (let { part } = from; from.overLimit && part > 0; part--) {
    const saved = await store.read(jobKeys.traceTail(workflowId, part));
    if (saved === undefined) continue;
    const state = parseLimiterState(saved.toString('utf8'));
    return createLimiter({ limitBytes, state: part < from.part ? { ...state, lost: true } : state });
  }
  const lost = from.uncertain === true && isFull(offset, limitBytes);
  return createLimiter({ limitBytes, state: { headBytes: offset, ...(lost ? { lost } : {}) } });
}

/** Opens a part, and sees to it that whatever happens nothing of it is written after `work` has ended. */
export async function withTracePart<T>(
  deps: { store: Store; hub: TraceHub },
  workflowId: string,
  from: TracePosition,
  rules: TraceRules,
  work: (part: TracePart) => Promise<T>,
): Promise<T> {
  const part = await openTracePart(deps, workflowId, from, rules);
  try {
    return await work(part);
  } finally {
    await part.abandon();
  }
}

/**
 * Where a part begins: where history says that the last one has ended. But an activity that was cut off may have written more than
 * anyone knows, and a store may have lost what it had (a power failure of its host): then the part begins at the real end, and that is
 * remembered, since after the first bytes of this part the end tells nothing any more.
 */
async function baseOf(store: Store, workflowId: string, part: number, from: TracePosition): Promise<number> {
  const key = jobKeys.traceBase(workflowId, part);
  const known = await store.read(key);
  if (known !== undefined) return Number(known.toString('utf8'));
  const end = (await store.size(jobKeys.trace(workflowId))) ?? 0;
  if (end >= from.offset && from.uncertain !== true) return from.offset;
  await store.write(key, String(end));
  return end;
}

function lostLine(bytes: number): string {
  return warningLine(`${String(bytes)} bytes of this log are missing here: the store has lost them.`);
}
