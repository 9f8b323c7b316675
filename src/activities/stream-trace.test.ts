import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, describe, expect, it } from 'vitest';
import type { StreamTraceInput, TracePosition } from '../contracts/activities.js';
import type { LogEvent } from '../machines/engine.js';
import { createDirectoryStore } from '../store/directory-store.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import type { EngineDeps } from './deps.js';
import { createStreamTrace } from './stream-trace.js';
import { createTraceHub } from './trace-hub.js';
import { withTracePart } from './trace-part.js';

const JOB = 'job/1';
const RULES = { masks: [], tokenPrefixes: [], outputLimitBytes: 1_000_000 };
const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function openStore(): Store {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-trace-'));
  directories.push(directory);
  return createDirectoryStore({ directory });
}

/** One attempt of the activity, whose container's log is this. */
async function attempt(store: Store, log: () => AsyncIterable<LogEvent>): Promise<TracePosition> {
  const { streamTrace } = createStreamTrace({
    store,
    hub: createTraceHub(),
    plans: { load: () => Promise.resolve({ plan: RULES }) },
    engine: { readLog: log },
    metrics: { traceBytes: { inc: () => undefined } },
    lifecycle: { handover: new AbortController().signal, pausedJustNow: () => false },
  } as unknown as EngineDeps);
  const input: StreamTraceInput = {
    workflowId: JOB,
    attempt: 1,
    engine: 'e',
    machine: 'm',
    from: { part: 0, offset: 0, overLimit: false },
    prelude: 'before\n',
    step: { name: 'step_script', title: 'Script' },
  };
  return await new MockActivityEnvironment().run(streamTrace, input);
}

const line = (text: string): LogEvent => ({ kind: 'data', bytes: Buffer.from(text) });

describe('the trace of a step', () => {
  it('keeps what an attempt has written when the next one finds no container any more', async () => {
    const store = openStore();
    const broken = attempt(store, async function* () {
      yield { kind: 'start', atMs: 0 };
      yield line('line 1\nline 2\n');
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error('the connection broke off');
    });
    await expect(broken).rejects.toThrow();
    const written = await store.size(jobKeys.trace(JOB));

    const position = await attempt(store, () => Readable.from([])); // it is gone
    await withTracePart({ store, hub: createTraceHub() }, JOB, position, RULES, async (part) => {
      await part.write('the machine was lost\n');
      await part.finish();
    });

    const trace = (await store.read(jobKeys.trace(JOB)))?.toString('utf8') ?? '';
    expect(trace.length).toBe((written ?? 0) + 'the machine was lost\n'.length);
    expect(trace).toMatch(/^before\n.*/s);
    expect(trace).toMatch(/the machine was lost\n$/);
  });

  it('goes on from the real end, and says how much is missing, when the store has lost what history knows of', async () => {
    const store = openStore();
    const log = () => Readable.from([{ kind: 'start', atMs: 0 }, line('line 1\n'), { kind: 'end', atMs: 1_000 }]);
    const position = await attempt(store, log);
    const kept = (await store.read(jobKeys.trace(JOB)))?.subarray(0, 20) ?? Buffer.alloc(0);
    await store.write(jobKeys.trace(JOB), kept);
    const lost = position.offset - kept.length;
    const notice = `WARNING: ${String(lost)} bytes of this log are missing here`;

    const write = (text: string) =>
      withTracePart({ store, hub: createTraceHub() }, JOB, position, RULES, async (part) => {
        await part.write(text);
        return await part.close();
      });
    // The first attempt is cut off when its part is longer than what was lost.
    await write('x'.repeat(2 * position.offset));
    const { offset } = await write('x'.repeat(2 * position.offset));

    const trace = (await store.read(jobKeys.trace(JOB)))?.toString('utf8') ?? '';
    expect(trace.startsWith(kept.toString('utf8'))).toBe(true);
    expect(trace.split(notice)).toHaveLength(2);
    expect(trace.length).toBe(offset);
  });

  it('says that something is missing when a part that was over the limit was cut off', async () => {
    const store = openStore();
    const rules = { ...RULES, outputLimitBytes: 100 };
    const deps = { store, hub: createTraceHub() };
    const at = { part: 0, offset: 0, overLimit: false };
    await withTracePart(deps, JOB, at, rules, (part) => part.write('x'.repeat(10_000)));
    const cutOff = { ...at, part: 1, uncertain: true };
    const next = await withTracePart(deps, JOB, cutOff, rules, async (part) => {
      await part.write('the machine was lost\n');
      return await part.close();
    });
    await withTracePart(deps, JOB, { ...next, part: next.part + 1, uncertain: true }, rules, async (part) => {
      await part.write('Job failed\n');
      await part.finish();
    });

    const trace = (await store.read(jobKeys.trace(JOB)))?.toString('utf8') ?? '';
    expect(trace.startsWith('x'.repeat(100))).toBe(true);
    expect(trace).toMatch(
      /\n.*exceeded limit of 100 bytes\. At least \d+ bytes were left out here.*\nthe machine was lost\nJob failed\n$/,
    );
  });

  it('is on the disk before its offset goes into history', async () => {
    const store = openStore();
    const persisted: (number | undefined)[] = [];
    const watched: Store = {
      ...store,
      async persist(key) {
        await store.persist(key);
        persisted.push(await store.size(key));
      },
    };

    const { offset } = await attempt(watched, () => Readable.from([line('line 1\n'), { kind: 'end', atMs: 1_000 }]));

    expect(persisted).toEqual([offset]);
  });

  it('ends where the log ends, when that is whole', async () => {
    const store = openStore();

    const log = [{ kind: 'start', atMs: 0 }, line('line 1\n'), { kind: 'end', atMs: 1_000 }];
    const position = await attempt(store, () => Readable.from(log));

    expect(position.uncertain).toBeUndefined();
    expect(position.offset).toBe(await store.size(jobKeys.trace(JOB)));
  });
});
