import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTraceWriter } from './trace-writer.js';

/** Takes what it is given as slowly as it is told, and says what a store must never be asked. */
function slowStore(options: { writeMs?: number; turns?: number; failAt?: number } = {}) {
  const state = { content: Buffer.alloc(0), writes: 0, atOnce: 0, mostAtOnce: 0 };
  return {
    state,
    writeMs: options.writeMs ?? 0,
    async writeAt(_key: string, offset: number, bytes: Buffer) {
      state.writes += 1;
      state.atOnce += 1;
      state.mostAtOnce = Math.max(state.mostAtOnce, state.atOnce);
      for (let turn = 0; turn < (options.turns ?? 0); turn++) await Promise.resolve();
      await (options.turns === undefined ? undefined : delay(0));
      state.atOnce -= 1;
      if (state.writes === options.failAt) throw new Error('the store is full');
      expect(offset).toBe(state.content.length);
      state.content = Buffer.concat([state.content, bytes]);
    },
  };
}

function writerOn(store: ReturnType<typeof slowStore>, grown: () => void = () => undefined) {
  return createTraceWriter({ store, key: 'trace', offset: 0, grown });
}

describe('a trace writer', () => {
  it('brings everything to the store in order, one write at a time, whatever the pace of either side', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.uint8Array({ maxLength: 50 }), fc.nat(4)), { maxLength: 30 }),
        fc.nat(6),
        fc.constantFrom(0, 1),
        async (chunks, turns, writeMs) => {
          const store = slowStore({ turns, writeMs });
          const writer = writerOn(store);
          for (const [bytes, pauses] of chunks) {
            await writer.write(Buffer.from(bytes));
            for (let turn = 0; turn < pauses; turn++) await Promise.resolve();
          }
          const end = await writer.close();

          const whole = Buffer.concat(chunks.map(([bytes]) => Buffer.from(bytes)));
          expect(store.state.content.equals(whole)).toBe(true);
          expect(end).toBe(whole.length);
          expect(store.state.mostAtOnce).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('needs nobody to write again for what came while a write ended', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(12), fc.nat(12), async (turns, before) => {
        const store = slowStore({ turns });
        const writer = writerOn(store);
        await writer.write(Buffer.from('a'));
        await delay(0);
        for (let turn = 0; turn < before; turn++) await Promise.resolve();
        await writer.write(Buffer.from('b'));
        while (store.state.content.length < 2) await delay(1);

        expect(store.state.content.toString()).toBe('ab');
      }),
      { numRuns: 200 },
    );
  });

  it('gathers what comes while the store is busy', async () => {
    const store = slowStore({ turns: 1 });
    const writer = writerOn(store);
    for (let line = 0; line < 1000; line++) await writer.write(Buffer.from('line\n'));
    await writer.close();

    expect(store.state.content.length).toBe(5000);
    expect(store.state.writes).toBeLessThan(10);
  });

  it('lets its user wait when too much is pending', async () => {
    const store = slowStore({ turns: 1, writeMs: 1 });
    const writer = writerOn(store);
    const chunk = Buffer.alloc(600_000);
    for (let count = 0; count < 5; count++) await writer.write(chunk);

    expect(store.state.content.length).toBeGreaterThanOrEqual(5 * chunk.length - 2 * 1024 * 1024);
    expect(await writer.close()).toBe(5 * chunk.length);
  });

  it('says at once that a write has failed, and throws it at whoever writes or closes', async () => {
    const store = slowStore({ turns: 1, failAt: 1 });
    const writer = writerOn(store);
    await writer.write(Buffer.from('lost'));
    while (!writer.failed.aborted) await delay(1);

    expect(writer.failed.reason).toMatchObject({ message: 'the store is full' });
    await expect(writer.write(Buffer.from('x'))).rejects.toThrow('the store is full');
    await expect(writer.close()).rejects.toThrow('the store is full');
    await expect(writer.abandon()).resolves.toBeUndefined();
  });

  it('writes nothing any more once it was abandoned', async () => {
    const store = slowStore({ turns: 3 });
    const writer = writerOn(store);
    await writer.write(Buffer.from('under way'));
    await writer.write(Buffer.from('pending'));
    await writer.abandon();
    const writes = store.state.writes;
    await delay(5);

    expect(store.state.writes).toBe(writes);
    expect('under way'.startsWith(store.state.content.toString())).toBe(true);
  });
});
