import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { readSmallFiles } from './files.js';

const CUT = new Error('aborted');

/** A directory with two files, as the engine sends it. */
async function archive(): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: 'step/', type: 'directory' });
  tar.entry({ name: 'step/exit' }, '0'.repeat(1000));
  tar.entry({ name: 'step/other' }, '1'.repeat(1000));
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A container whose archive begins with these bytes, and goes on as the test says. */
function container(bytes: Buffer, then: (stream: Readable) => void): Docker.Container {
  const stream = new Readable({ read: () => undefined });
  if (bytes.length > 0) stream.push(bytes);
  then(stream);
  return { getArchive: () => Promise.resolve(stream) } as unknown as Docker.Container;
}

async function read(given: Docker.Container, silenceMs?: number): Promise<unknown> {
  const reading = readSmallFiles(given, '/step', ['exit'], silenceMs).catch((error: unknown) => error);
  return await Promise.race([reading, delay(2_000, 'hangs')]);
}

describe('small files of a container', () => {
  it('are those that are wanted', async () => {
    const files = await read(container(await archive(), (stream) => stream.push(null)));

    expect(files).toEqual(new Map([['exit', '0'.repeat(1000)]]));
  });

  it.each([
    ['before the first', 0],
    ['in the header of one', 700],
    ['in one that is wanted', 1500],
    ['in one that is not', 3000],
  ])('are an error where the answer breaks off %s', async (_, bytes) => {
    const whole = await archive();
    const cut = (how: (stream: Readable) => void) =>
      read(container(whole.subarray(0, bytes), (stream) => setTimeout(() => how(stream), 10)));

    expect(await cut((stream) => stream.destroy(CUT))).toBe(CUT);
    expect(await cut((stream) => stream.destroy())).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });

  it('are an error where the answer has broken off before it is read', async () => {
    expect(await read(container(Buffer.alloc(0), (stream) => stream.destroy()))).toBeInstanceOf(Error);
  });

  it('are an error where nothing more comes, and not while something does', async () => {
    const whole = await archive();
    const slow = container(whole.subarray(0, 512), (stream) => {
      let at = 512;
      const timer = setInterval(() => {
        stream.push(at < whole.length ? whole.subarray(at, at + 512) : null);
        if (at >= whole.length) clearInterval(timer);
        at += 512;
      }, 10);
    });
    const silent = container(whole.subarray(0, 1500), () => undefined);

    expect(await read(silent, 60)).toMatchObject({ message: 'the engine sent nothing for 0.06 s' });
    expect(await read(slow, 60)).toBeInstanceOf(Map);
  });
});
