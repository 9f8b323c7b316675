import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDirectoryStore } from './directory-store.js';
import { storeSuite } from '../../test/support/store-suite.js';
import type { Store } from './store.js';

let directory: string;
let store: Store;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
  store = createDirectoryStore({ directory });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('a store in a directory', () => {
  storeSuite(() => store);

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

  it('takes away what a process that was killed has left in the middle of a write, and nothing that is being written', async () => {
    await store.write('jobs/a/x', 'whole');
    const left = join(directory, 'jobs', '.tmp', 'left');
    writeFileSync(left, 'half');
    const inHours = (hours: number) =>
      createDirectoryStore({ directory, now: () => statSync(left).mtimeMs + hours * 3_600_000 });

    await inHours(23).write('jobs/b/x', 'whole');
    expect(filesBelow(directory)).toContain(left);
    await inHours(25).write('jobs/c/x', 'whole');
    expect(filesBelow(join(directory, 'jobs', '.tmp'))).toEqual([]);
    expect(await store.list('')).toEqual(['jobs/a/x', 'jobs/b/x', 'jobs/c/x']);
  });

  it('lets only its own user read what it keeps', async () => {
    await store.write('jobs/a/trace', 'x');
    await store.writeAt('jobs/a/grown', 0, Buffer.from('x'));

    for (const file of filesBelow(directory)) expect(statSync(file).mode & 0o077).toBe(0);
    expect(statSync(join(directory, 'jobs')).mode & 0o077).toBe(0);
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

  it('lists what begins with a prefix, in order, without unfinished writes', async () => {
    for (const key of ['jobs/b/x', 'jobs/a/y', 'jobs/a/x', 'other/z']) await store.write(key, '');
    for (const unfinished of ['.tmp/cut-off', 'a/.tmp-as-earlier-releases']) {
      writeFileSync(join(directory, 'jobs', unfinished), 'half');
    }

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
