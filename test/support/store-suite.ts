import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Store } from '../../src/store/store.js';

export async function contentOf(
  store: Store,
  key: string,
  range?: { start?: number; end?: number },
): Promise<string | undefined> {
  const stream = await store.stream(key, range);
  if (stream === undefined) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

/** What every store does, whatever its medium. Call it within a `describe`. */
export function storeSuite(open: () => Store): void {
  it('gives back what was written, whole and in parts', async () => {
    const stored = await open().write('jobs/a/trace', 'hello world');

    expect(stored).toEqual({
      bytes: 11,
      sha256: 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
    });
    expect((await open().read('jobs/a/trace'))?.toString()).toBe('hello world');
    expect(await contentOf(open(), 'jobs/a/trace', { start: 6 })).toBe('world');
    expect(await contentOf(open(), 'jobs/a/trace', { start: 2, end: 4 })).toBe('ll');
    expect(await contentOf(open(), 'jobs/a/trace', { start: 4, end: 4 })).toBe('');
    expect(await open().size('jobs/a/trace')).toBe(11);
  });

  it('knows what it does not have', async () => {
    expect(await open().read('no/such')).toBeUndefined();
    expect(await open().stream('no/such')).toBeUndefined();
    expect(await open().size('no/such')).toBeUndefined();
    expect(await open().list('no')).toEqual([]);
    await expect(open().remove('no/such')).resolves.toBeUndefined();
  });

  it('refuses to leave a gap', async () => {
    await open().writeAt('t', 0, Buffer.from('abc'));

    await expect(open().writeAt('t', 4, Buffer.from('x'))).rejects.toMatchObject({ code: 'STORE_GAP' });
    expect((await open().read('t'))?.toString()).toBe('abc');
  });

  it('ends with the same bytes however often and in whatever cuts two writers repeat them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.array(fc.tuple(fc.nat(199), fc.nat(200)), { maxLength: 20 }),
        async (bytes, cuts) => {
          const key = `p/${String(Math.random())}`;
          const whole = Buffer.from(bytes);
          let end = 0;
          for (const [from, length] of cuts) {
            const start = Math.min(from, end);
            const part = whole.subarray(start, Math.min(whole.length, start + length));
            await open().writeAt(key, start, part);
            end = Math.max(end, start + part.length);
          }
          await open().writeAt(key, end, whole.subarray(end));
          expect((await open().read(key))?.equals(whole)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each(['', '/', 'a//b', 'a/', '/a'])('refuses the key %j', async (key) => {
    await expect(open().write(key, 'x')).rejects.toMatchObject({ code: 'STORE_BAD_KEY' });
  });

  it('leaves the old content when a write breaks off', async () => {
    await open().write('k/x', 'old');
    const broken = Readable.from(
      (function* () {
        yield Buffer.from('new');
        throw new Error('the source broke');
      })(),
    );

    await expect(open().write('k/x', broken)).rejects.toThrow('the source broke');
    expect((await open().read('k/x'))?.toString()).toBe('old');
  });

  it('takes a stream, and says what it was', async () => {
    const stored = await open().write('k/stream', Readable.from([Buffer.from('hello '), Buffer.from('world')]));

    expect(stored).toEqual({
      bytes: 11,
      sha256: 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
    });
    expect((await open().read('k/stream'))?.toString()).toBe('hello world');
  });

  it('lists what begins with a prefix, in order', async () => {
    for (const key of ['l/jobs/b/x', 'l/jobs/a/y', 'l/jobs/a/x', 'l/other/z']) await open().write(key, '');
    await open().writeAt('l/jobs/a/grown', 0, Buffer.from('some'));
    await open().writeAt('l/jobs/a/grown', 4, Buffer.from(' more'));
    await open().write('odd/.. and so on/ü', '');

    expect(await open().list('l/jobs')).toEqual(['l/jobs/a/grown', 'l/jobs/a/x', 'l/jobs/a/y', 'l/jobs/b/x']);
    expect(await open().list('odd')).toEqual(['odd/.. and so on/ü']);
    expect(await open().list('l')).toContain('l/other/z');
  });

  it('keeps what has grown the same when it is settled, however often', async () => {
    await open().writeAt('s/grown', 0, Buffer.from('hello '));
    await open().writeAt('s/grown', 6, Buffer.from('world'));
    expect(await contentOf(open(), 's/grown', { start: 4, end: 8 })).toBe('o wo');
    expect(await open().size('s/grown')).toBe(11);
    await open().settle('s/grown');
    await open().settle('s/grown');

    expect((await open().read('s/grown'))?.toString()).toBe('hello world');
    expect(await open().size('s/grown')).toBe(11);
    expect(await contentOf(open(), 's/grown', { start: 4, end: 8 })).toBe('o wo');
    expect(await contentOf(open(), 's/grown', { start: 11 })).toBe('');
    await open().settle('s/never-there');
    expect(await open().size('s/never-there')).toBeUndefined();
  });

  it('forgets what was removed, grown or not', async () => {
    await open().writeAt('r/grown', 0, Buffer.from('x'));
    await open().write('r/whole', 'x');
    await open().remove('r/grown');
    await open().remove('r/whole');

    expect(await open().list('r')).toEqual([]);
    expect(await open().read('r/grown')).toBeUndefined();
  });

  it('answers a probe', async () => {
    await open().probe();

    expect(await open().list('probe')).toEqual([]);
  });
}
