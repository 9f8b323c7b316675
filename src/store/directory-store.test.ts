import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDirectoryStore } from './directory-store.js';
import type { Store } from './store.js';

let directory: string;
let store: Store;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
  store = createDirectoryStore({ directory });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function contentOf(key: string, range?: { start?: number; end?: number }): Promise<string | undefined> {
  const stream = await store.stream(key, range);
  if (stream === undefined) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('a store in a directory', () => {
  it('gives back what was written, whole and in parts', async () => {
    const stored = await store.write('jobs/a/trace', 'hello world');

    expect(stored).toEqual({
      bytes: 11,
      sha256: 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
    });
    expect((await store.read('jobs/a/trace'))?.toString()).toBe('hello world');
    expect(await contentOf('jobs/a/trace', { start: 6 })).toBe('world');
    expect(await contentOf('jobs/a/trace', { start: 2, end: 4 })).toBe('ll');
    expect(await contentOf('jobs/a/trace', { start: 4, end: 4 })).toBe('');
    expect(await store.size('jobs/a/trace')).toBe(11);
  });

  it('knows what it does not have', async () => {
    expect(await store.read('no/such')).toBeUndefined();
    expect(await store.stream('no/such')).toBeUndefined();
    expect(await store.size('no/such')).toBeUndefined();
    expect(await store.list('no')).toEqual([]);
    await expect(store.remove('no/such')).resolves.toBeUndefined();
  });

  it('leaves the old content and no debris when a write breaks off', async () => {
    await store.write('k/x', 'old');
    const broken = Readable.from(
      (function* () {
        yield Buffer.from('new');
        throw new Error('the source broke');
      })(),
    );

    await expect(store.write('k/x', broken)).rejects.toThrow('the source broke');
    expect((await store.read('k/x'))?.toString()).toBe('old');
    expect(filesBelow(directory)).toHaveLength(1);
  });

  it('lets only its own user read what it keeps', async () => {
    await store.write('jobs/a/trace', 'x');
    await store.writeAt('jobs/a/grown', 0, Buffer.from('x'));

    for (const file of filesBelow(directory)) expect(statSync(file).mode & 0o077).toBe(0);
    expect(statSync(join(directory, 'jobs')).mode & 0o077).toBe(0);
  });

  it('refuses to leave a gap', async () => {
    await store.writeAt('t', 0, Buffer.from('abc'));

    await expect(store.writeAt('t', 4, Buffer.from('x'))).rejects.toMatchObject({ code: 'STORE_GAP' });
    expect((await store.read('t'))?.toString()).toBe('abc');
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
            await store.writeAt(key, start, part);
            end = Math.max(end, start + part.length);
          }
          await store.writeAt(key, end, whole.subarray(end));
          expect((await store.read(key))?.equals(whole)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('holds any text as a key, apart from the others, inside of its directory', async () => {
    const segment = fc.oneof(
      fc.constantFrom('.', '..', '...', '.tmp-1', '~', 'a'.repeat(300), '%2E', 'A', 'a', '=61', '==', 'ü'),
      fc.string({ minLength: 1, maxLength: 40 }).filter((text) => !text.includes('/')),
    );
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(segment, { minLength: 1, maxLength: 4 }), async (segments) => {
        for (const [index, name] of segments.entries()) await store.write(`p/${name}/x`, String(index));
        for (const [index, name] of segments.entries()) {
          expect((await store.read(`p/${name}/x`))?.toString()).toBe(String(index));
        }
      }),
      { numRuns: 50 },
    );
    expect(readdirSync(directory)).toEqual(['p']);
  });

  it.each(['', '/', 'a//b', 'a/', '/a'])('refuses the key %j', async (key) => {
    await expect(store.write(key, 'x')).rejects.toMatchObject({ code: 'STORE_BAD_KEY' });
  });

  it('lists what begins with a prefix, in order, without unfinished writes', async () => {
    for (const key of ['jobs/b/x', 'jobs/a/y', 'jobs/a/x', 'other/z']) await store.write(key, '');
    writeFileSync(join(directory, 'jobs', 'a', '.tmp-cut-off'), 'half');

    expect(await store.list('jobs')).toEqual(['jobs/a/x', 'jobs/a/y', 'jobs/b/x']);
    expect(await store.list('')).toEqual(['jobs/a/x', 'jobs/a/y', 'jobs/b/x', 'other/z']);
    await store.write('odd/.. and so on/ü', '');
    expect(await store.list('odd')).toEqual(['odd/.. and so on/ü']);
  });

  it('says what to do when a file stands where its directory should be', async () => {
    writeFileSync(join(directory, 'jobs'), 'a file');
    chmodSync(directory, 0o700);

    await expect(store.write('jobs/a/x', 'x')).rejects.toThrow();
    expect(await store.read('jobs/a/x')).toBeUndefined();
  });
});
