import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDirectoryStore } from '../../store/directory-store.js';
import { jobKeys } from '../../store/keys.js';
import type { Store } from '../../store/store.js';
import { createTraceReader } from './trace-reader.js';

let directory: string;
let store: Store;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-trace-'));
  store = createDirectoryStore({ directory });
});
afterAll(() => rmSync(directory, { recursive: true }));

let jobs = 0;
async function traceOf(bytes: Buffer | string): Promise<string> {
  const job = `job/${String((jobs += 1))}`;
  await store.write(jobKeys.trace(job), bytes);
  return job;
}
const texts = (lines: { spans: [string, string?][] }[]) =>
  lines.map(({ spans }) => spans.map(([text]) => text).join(''));

describe('a trace', () => {
  it('that is not there yet has no lines', async () => {
    const reader = createTraceReader(store);

    expect(await reader.state('job/none')).toEqual({ bytes: 0, lines: 0, complete: false, sections: [] });
    expect(await reader.lines('job/none', 0, 10)).toEqual([]);
  });

  it('is read from any line on', async () => {
    const content = Array.from(
      { length: 12_345 },
      (_, index) => `\x1b[3${String(index % 8)}mline ${String(index)}\n`,
    ).join('');
    const reader = createTraceReader(store);
    const job = await traceOf(content);

    expect((await reader.state(job)).lines).toBe(12_345);
    for (const from of [0, 1, 99, 100, 101, 6_543, 12_340]) {
      const lines = await reader.lines(job, from, 7);
      expect(texts(lines)).toEqual(
        Array.from({ length: Math.min(7, 12_345 - from) }, (_, index) => `line ${String(from + index)}`),
      );
      expect(lines[0]?.spans[0]?.[1]).toBe(`f${String(from % 8)}`);
    }
  });

  it('grows, its last line too, and is whole when that was announced', async () => {
    const reader = createTraceReader(store);
    const job = await traceOf('one\ntw');
    expect(await reader.state(job)).toMatchObject({ lines: 2, complete: false });
    expect(texts(await reader.lines(job, 0, 5))).toEqual(['one', 'tw']);

    await store.writeAt(jobKeys.trace(job), 6, Buffer.from('o\nthree\n'));
    await store.write(jobKeys.traceComplete(job), '{}');

    expect(await reader.state(job)).toMatchObject({ lines: 3, complete: true, bytes: 14 });
    expect(texts(await reader.lines(job, 0, 5))).toEqual(['one', 'two', 'three']);
  });

  it('knows its sections and the lines in them', async () => {
    const reader = createTraceReader(store);
    const job = await traceOf(
      'head\nsection_start:10:outer\r\x1b[0KOuter\nsection_start:11:inner[collapsed=true]\r\x1b[0KInner\nx\nsection_end:12:inner\r\x1b[0Ksection_end:13:outer\r\x1b[0Kend\n',
    );

    expect((await reader.state(job)).sections).toEqual([
      { name: 'outer', start: 1, startedAt: 10, end: 4, endedAt: 13 },
      { name: 'inner', start: 2, startedAt: 11, end: 4, endedAt: 12, collapsed: true },
    ]);
    expect(texts(await reader.lines(job, 0, 9))).toEqual(['head', 'Outer', 'Inner', 'x', 'end']);
  });

  it('is searched in any case', async () => {
    const reader = createTraceReader(store);
    const job = await traceOf('Needle\nhay\n\x1b[1mneed\x1b[0mle\nneedle at the end');
    const never = new AbortController().signal;

    expect(await reader.search(job, 'NEEDLE', never)).toEqual({ lines: [0, 2, 3], more: false });
    expect((await reader.search(await traceOf('x\n'.repeat(5_000)), 'x', never)).more).toBe(true);
  });

  it('of any bytes has the lines that it has when read whole, however it has grown', async () => {
    const bytes = fc.uint8Array({ maxLength: 2_000 }).map((array) => {
      // Many line ends and codes, and bytes that are no UTF-8.
      return Buffer.from(array.map((byte) => (byte < 60 ? 0x0a : byte < 70 ? 0x1b : byte)));
    });
    await fc.assert(
      fc.asyncProperty(bytes, fc.nat(2_000), fc.nat(800), async (content, cut, from) => {
        const at = Math.min(cut, content.length);
        const job = await traceOf(content.subarray(0, at));
        const growing = createTraceReader(store);
        await growing.state(job);
        await store.writeAt(jobKeys.trace(job), at, content.subarray(at));
        const whole = createTraceReader(store);
        const state = await growing.state(job);
        const all = await whole.lines(job, 0, 10_000);

        expect(state).toEqual(await whole.state(job));
        expect(all).toHaveLength(state.lines);
        expect(await growing.lines(job, from, 5)).toEqual(all.slice(from, from + 5));
      }),
      { numRuns: 60 },
    );
  });
});
