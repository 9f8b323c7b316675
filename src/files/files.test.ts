import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { fromBuffer } from 'yauzl';
import { tarOf, untar, whole } from '../../test/support/archives.js';
import { packGzip, packRaw, packTarGz, packZip } from './pack.js';
import { literalPrefix, selectFiles } from './select.js';
import { readFile, selectedEntries, type OpenTree, type SelectedEntry } from './source.js';
import { unpackTarGz } from './unpack.js';

const PROJECT = '/builds/group/project';

/** As Docker's archive API answers: entries are named from the last segment of the path on. */
function treeOf(files: Record<string, string>): OpenTree {
  return async (relative) => {
    const base = relative === '' ? 'project' : relative.split('/').at(-1);
    const inside = Object.entries(files).filter(
      ([path]) => relative === '' || path === relative || path.startsWith(`${relative}/`),
    );
    if (inside.length === 0) return undefined;
    const members = inside.map(([path, content]) => ({
      name:
        path === relative
          ? String(base)
          : `${String(base)}/${relative === '' ? path : path.slice(relative.length + 1)}`,
      content,
    }));
    return Readable.from([await tarOf(members)]);
  };
}

async function selected(files: Record<string, string>, paths: string[], exclude: string[] = []): Promise<string[]> {
  const selection = selectFiles({ paths, exclude, projectDirectory: PROJECT });
  const found: string[] = [];
  for await (const entry of selectedEntries(treeOf(files), selection)) found.push(entry.path);
  return found.sort();
}

const FILES = { 'out/a.txt': 'A', 'out/deep/b.log': 'B', 'src/c.ts': 'C', '.hidden/d': 'D', 'top.log': 'T' };

describe('a selection of files', () => {
  it.each([
    ['a directory means everything in it', ['out'], [], ['out/a.txt', 'out/deep/b.log']],
    ['a trailing slash changes nothing', ['out/'], [], ['out/a.txt', 'out/deep/b.log']],
    ['two stars cross directories', ['**/*.log'], [], ['out/deep/b.log', 'top.log']],
    ['one star does not', ['*.log'], [], ['top.log']],
    ['hidden files are files', ['.hidden'], [], ['.hidden/d']],
    ['exclude wins', ['out'], ['out/**/*.log'], ['out/a.txt']],
    ['an absolute path inside of the project', [`${PROJECT}/src`], [], ['src/c.ts']],
    ['a path that goes up and comes back', ['src/../top.log'], [], ['top.log']],
    ['braces', ['{src,out}/*'], [], ['out/a.txt', 'out/deep/b.log', 'src/c.ts']],
    ['the whole project', ['.'], [], Object.keys(FILES).sort()],
    ['what is not there', ['nothing'], [], []],
    ['a path named twice is taken once', ['out', 'out/a.txt'], [], ['out/a.txt', 'out/deep/b.log']],
  ])('%s', async (_name, paths, exclude, expected) => {
    expect(await selected(FILES, paths, exclude)).toEqual(expected);
  });

  it.each(['../x', '/etc/passwd', 'a/../../x', `${PROJECT}2/x`, '..'])('refuses %s, which lies outside', (path) => {
    const selection = selectFiles({ paths: [path], exclude: [], projectDirectory: PROJECT });

    expect(selection.refused).toEqual([path]);
    expect(selection.roots).toEqual([]);
  });

  it('never reads outside of the project, whatever the pattern', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('..', '.', 'a', '*', '**', '', '{b,..}', '/'), { maxLength: 8 }),
        (parts) => {
          const { roots } = selectFiles({ paths: [parts.join('/')], exclude: [], projectDirectory: PROJECT });
          for (const root of roots) expect(root.split('/')).not.toContain('..');
        },
      ),
    );
  });

  it('begins to read at the first wildcard', () => {
    expect(literalPrefix('a/b/*.c')).toBe('a/b');
    expect(literalPrefix('a/b')).toBe('a/b');
    expect(literalPrefix('*')).toBe('');
  });
});

describe('hard links', () => {
  /** As Docker tells them: the first name has the content, the others refer to it by its place in the archive. */
  const tree: OpenTree = async (relative) => {
    if (relative !== 'out' && relative !== '') return undefined;
    const base = relative === '' ? 'project/out' : 'out';
    const members = [
      { name: `${base}/deps/one`, content: 'same' },
      { name: `${base}/lone`, content: 'other' },
      { name: `${base}/three`, type: 'link' as const, linkname: `${base}/deps/one` },
      { name: `${base}/two`, type: 'link' as const, linkname: `${base}/deps/one` },
    ];
    return Readable.from([await tarOf(members)]);
  };
  const entries = (paths: string[], exclude: string[] = [], options = {}) =>
    selectedEntries(tree, selectFiles({ paths, exclude, projectDirectory: PROJECT }), options);

  it.each([['out'], ['.'], ['**/*']])('are files with their content in an archive of %s', async (path) => {
    const facts = { files: 0 };
    const same = { 'out/deps/one': 'same', 'out/three': 'same', 'out/two': 'same' };

    expect(await unzip(await whole(packZip(entries([path]), facts)))).toEqual({ ...same, 'out/lone': 'other' });
    expect(facts.files).toBe(4);
  });

  it.each([packZip, packGzip, packTarGz])(
    'are smaller the harder it tries, and as they are without (%o)',
    async (packer) => {
      const sizeAt = async (level: number) => {
        const content = Array.from({ length: 20_000 }, (_, line) => `line ${String(line)} of a file\n`).join('');
        const entry = {
          path: 'a',
          header: { name: 'a', type: 'file', size: content.length },
          content: Readable.from([content]),
        };
        return (await whole(Readable.from(packer(Readable.from([entry as SelectedEntry]), { files: 0 }, { level }))))
          .length;
      };

      const [stored, fast, slow] = [await sizeAt(0), await sizeAt(1), await sizeAt(9)];
      expect(stored).toBeGreaterThan(400_000);
      expect(fast).toBeLessThan(stored / 3);
      expect(slow).toBeLessThan(fast);
    },
  );

  it('are files also where the name that has the content is left out', async () => {
    expect(await unzip(await whole(packZip(entries(['out/t*']), { files: 0 })))).toEqual({
      'out/three': 'same',
      'out/two': 'same',
    });
    expect(gunzipSync(await whole(packGzip(entries(['out/tw*']), { files: 0 }))).toString()).toBe('same');
  });

  it('stay links in a cache, to a name that is there when it is unpacked', async () => {
    const cache = await whole(packTarGz(entries(['out'], [], { keepLinks: true }), { files: 0 }));
    const members = new Map<string, string>();
    const refused: string[] = [];
    const tar = extract();
    tar.end(await whole(unpackTarGz(Readable.from([cache]), (name) => refused.push(name))));
    for await (const entry of tar) {
      members.set(
        entry.header.name,
        entry.header.type === 'link' ? `-> ${entry.header.linkname ?? ''}` : (await whole(entry)).toString(),
      );
      entry.resume();
    }

    expect(Object.fromEntries(members)).toEqual({
      'out/deps/one': 'same',
      'out/lone': 'other',
      'out/three': '-> out/deps/one',
      'out/two': '-> out/deps/one',
    });
    expect(refused).toEqual([]);
  });

  it('are files in a cache that leaves out the name with the content', async () => {
    const cache = await whole(packTarGz(entries(['out'], ['out/deps/**'], { keepLinks: true }), { files: 0 }));

    expect(await untar(gunzipSync(cache))).toEqual(['out/lone=other', 'out/three=same', 'out/two=same']);
  });

  it('to nothing are nothing, and are looked for once', async () => {
    let opened = 0;
    const dangling: OpenTree = async () => {
      opened += 1;
      return Readable.from([await tarOf([{ name: 'out/x', type: 'link', linkname: 'out/gone' }])]);
    };
    const selection = selectFiles({ paths: ['out'], exclude: [], projectDirectory: PROJECT });

    expect(await unzip(await whole(packZip(selectedEntries(dangling, selection), { files: 0 })))).toEqual({});
    expect(opened).toBe(2);
  });
});

describe('packing', () => {
  const entries = (paths: string[]) =>
    selectedEntries(treeOf(FILES), selectFiles({ paths, exclude: [], projectDirectory: PROJECT }));

  it('makes a zip with the same bytes every time, that others can open', async () => {
    const facts = { files: 0 };
    const first = await whole(packZip(entries(['out']), facts));
    const second = await whole(packZip(entries(['out']), { files: 0 }));

    expect(facts.files).toBe(2);
    expect(hash(first)).toBe(hash(second));
    expect(await unzip(first)).toEqual({ 'out/a.txt': 'A', 'out/deep/b.log': 'B' });
  });

  it('makes one gzip member a file for reports', async () => {
    const facts = { files: 0 };
    const bytes = await whole(packGzip(entries(['out/a.txt', 'src/c.ts']), facts));

    expect(gunzipSync(bytes).toString()).toBe('AC');
    expect(facts.files).toBe(2);
  });

  it('sends one file raw, and refuses several', async () => {
    expect((await whole(packRaw(entries(['out/a.txt']), { files: 0 }))).toString()).toBe('A');
    await expect(whole(packRaw(entries(['out']), { files: 0 }))).rejects.toThrow('only one file can be sent raw');
  });

  it('ends with the error of what it reads from, and does not hang', async () => {
    async function* broken() {
      yield* entries(['out/a.txt']);
      await Promise.resolve();
      throw new Error('the engine is gone');
    }

    await expect(whole(packZip(broken(), { files: 0 }))).rejects.toThrow('the engine is gone');
    await expect(whole(packTarGz(broken(), { files: 0 }))).rejects.toThrow('the engine is gone');
  });

  it.each([packZip, packTarGz])('lets go of what it reads from when its own reader gives up (%o)', async (packer) => {
    let opened: Readable | undefined;
    const open: OpenTree = async (path) => {
      const bytes = await tarOf([{ name: path, content: 'x'.repeat(5_000_000) }]);
      opened = Readable.from(Array.from({ length: 500 }, (_, at) => bytes.subarray(at * 10_016, (at + 1) * 10_016)));
      return opened;
    };
    const entries = selectedEntries(open, selectFiles({ paths: ['big'], exclude: [], projectDirectory: PROJECT }));

    for await (const chunk of packer(entries, { files: 0 })) {
      expect(chunk).toBeDefined();
      break;
    }

    await expect.poll(() => opened?.destroyed).toBe(true);
  });

  it('gives a cache back as it was', async () => {
    const packed = await whole(packTarGz(entries(['out', 'src']), { files: 0 }));
    const refused: string[] = [];

    expect(await untar(await whole(unpackTarGz(Readable.from([packed]), (name) => refused.push(name))))).toEqual([
      'out/a.txt=A',
      'out/deep/b.log=B',
      'src/c.ts=C',
    ]);
    expect(refused).toEqual([]);
  });
});

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function unzip(bytes: Buffer): Promise<Record<string, string>> {
  return await new Promise((resolve, reject) => {
    fromBuffer(bytes, { lazyEntries: true }, (error, zip) => {
      if (error !== null) return reject(error);
      const found: Record<string, string> = {};
      zip.on('error', reject);
      zip.on('end', () => resolve(found));
      zip.on('entry', (entry: { fileName: string }) => {
        zip.openReadStream(entry as never, (problem, stream) => {
          if (problem !== null) return reject(problem);
          void whole(stream).then((content) => {
            found[entry.fileName] = content.toString();
            zip.readEntry();
          }, reject);
        });
      });
      zip.readEntry();
    });
  });
}

describe('files that git does not track', () => {
  it('are selected wherever they are, besides the paths, and not when they are excluded', async () => {
    const tracked = new Set(['src/c.ts', 'top.log']);
    const selection = selectFiles({
      paths: ['src'],
      exclude: ['**/*.log'],
      projectDirectory: PROJECT,
      untracked: (path) => !tracked.has(path),
    });
    const found: string[] = [];
    for await (const entry of selectedEntries(treeOf(FILES), selection)) found.push(entry.path);

    expect(found.sort()).toEqual(['.hidden/d', 'out/a.txt', 'src/c.ts']);
  });

  it('need one file of the project, which is read by itself', async () => {
    expect((await readFile(treeOf(FILES), 'out/deep/b.log', 1))?.toString()).toBe('B');
    expect(await readFile(treeOf(FILES), 'nowhere', 1)).toBeUndefined();
    await expect(readFile(treeOf({ large: 'x'.repeat(2000) }), 'large', 1024)).rejects.toThrow('larger than 1 KiB');
  });
});
