import { describe, expect, it } from 'vitest';
import type { PatchTraceOutcome } from './outcomes.js';
import { createTraceSender, type TraceSource } from './trace-sender.js';

const MIB = 1024 * 1024;

/** A log of so many bytes, and a line over which no more than `most()` bytes come through in one request. */
async function sent(bytes: number, most: (request: number) => number): Promise<number[]> {
  const lengths: number[] = [];
  const source: TraceSource = {
    size: () => Promise.resolve(bytes),
    read: (start, end) => Promise.resolve(Buffer.alloc(end - start)),
  };
  const sender = createTraceSender({
    patchTrace({ bytes: chunk }): Promise<PatchTraceOutcome> {
      lengths.push(chunk.length);
      return Promise.resolve(
        chunk.length <= most(lengths.length)
          ? { kind: 'accepted', jobStatus: 'running' }
          : { kind: 'unavailable', reason: 'no answer within 30 s', answered: false, timedOut: true },
      );
    },
  });
  while (sender.offset < bytes && lengths.length < 1_000) await sender.send(source);
  expect(sender.offset).toBe(bytes);
  return lengths;
}

describe('the sender of a trace', () => {
  it('sends parts of one mebibyte', async () => {
    expect(await sent(2.5 * MIB, () => MIB)).toEqual([MIB, MIB, MIB / 2]);
  });

  it('sends smaller ones over a line that does not carry those, and never none', async () => {
    const lengths = await sent(2 * MIB, () => 100 * 1024);

    expect(Math.min(...lengths.slice(0, -1))).toBe(64 * 1024);
  });

  it('sends larger ones again when they come through', async () => {
    const lengths = await sent(8 * MIB, (request) => (request <= 3 ? 0 : MIB));

    expect(lengths.slice(0, 4)).toEqual([16, 8, 4, 2].map((sixteenth) => (sixteenth * MIB) / 16));
    expect(lengths.at(-2)).toBe(MIB);
  });
});
