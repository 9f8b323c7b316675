import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { extract, pack, type Header } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { fromBuffer } from 'yauzl';
import { ZipFile } from 'yazl';
import { packGzip, packRaw, packTarGz, packZip } from './pack.js';
import { literalPrefix, selectFiles } from './select.js';
import { readFile, selectedEntries, type OpenTree } from './source.js';
import { unpackTarGz } from './unpack.js';
import { unpackZip } from './unzip.js';

const PROJECT = '/builds/group/project';

type Member = Partial<Header> & { name: string; content?: string };

async function tarOf(members: Member[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of members)
    tar.entry({ mtime: new Date(1_700_000_000_000), ...header }, content ?? '');
  tar.finalize();
  return await whole(tar);
}

async function whole(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

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

describe('unpacking a hostile archive', () => {
  async function unpacked(members: Member[]): Promise<{ names: string[]; refused: string[] }> {
    const refused: string[] = [];
    const archive = Readable.from([gzipSync(await tarOf(members))]);
    const names = await untar(await whole(unpackTarGz(archive, (name) => refused.push(name))));
    return { names, refused };
  }

  it.each<[string, Member]>([
    ['a path that goes up', { name: '../evil', content: 'x' }],
    ['a path that goes up in the middle', { name: 'a/../../evil', content: 'x' }],
    ['an absolute path', { name: '/etc/evil', content: 'x' }],
    ['an absolute link', { name: 'l', type: 'symlink', linkname: '/etc' }],
    ['a link that leads out', { name: 'a/l', type: 'symlink', linkname: '../../etc' }],
    ['a link that goes up through another', { name: 'l', type: 'symlink', linkname: 'd/up/../../etc' }],
    ['a hard link that leads out', { name: 'h', type: 'link', linkname: '../../etc/passwd' }],
    ['a character device', { name: 'dev', type: 'character-device', devmajor: 1, devminor: 1 }],
    ['a block device', { name: 'dev', type: 'block-device', devmajor: 1, devminor: 1 }],
    ['a pipe', { name: 'fifo', type: 'fifo' }],
  ])('leaves out %s, and keeps the rest', async (_name, member) => {
    expect(await unpacked([member, { name: 'good', content: 'G' }])).toEqual({
      names: ['good=G'],
      refused: [member.name],
    });
  });

  it('does not write through a link that the archive itself has made', async () => {
    const { names, refused } = await unpacked([
      { name: 'inner/', type: 'directory' },
      { name: 'link', type: 'symlink', linkname: 'inner' },
      { name: 'link/x', content: 'x' },
      { name: 'link', content: 'replaced' },
    ]);

    expect(names).toEqual(['inner/', 'link->inner']);
    expect(refused).toEqual(['link/x', 'link']);
  });

  it('fails on bytes that are no archive', async () => {
    await expect(whole(unpackTarGz(Readable.from([Buffer.from('no gzip')]), () => undefined))).rejects.toThrow();
  });

  it('fails on an archive that is cut off', async () => {
    const bytes = gzipSync(await tarOf([{ name: 'a', content: 'x'.repeat(10_000) }]));

    await expect(
      whole(unpackTarGz(Readable.from([bytes.subarray(0, bytes.length - 20)]), () => undefined)),
    ).rejects.toThrow();
  });

  it('lets nothing out, whatever the names', async () => {
    const part = fc.constantFrom('..', '.', 'a', 'b', '', 'l');
    const name = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
    const member = fc.oneof(
      fc.record({ name, content: fc.constant('x') }),
      fc.record({ name, type: fc.constant('symlink' as const), linkname: name.filter((text) => text !== '') }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          member.filter((entry) => entry.name !== ''),
          { maxLength: 6 },
        ),
        async (members) => {
          const { names } = await unpacked(members);
          for (const entry of names) {
            const [path = ''] = entry.split(/=|->/);
            expect(path.startsWith('/')).toBe(false);
            expect(path.split('/')).not.toContain('..');
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function untar(bytes: Buffer): Promise<string[]> {
  const tar = extract();
  tar.end(bytes);
  const found: string[] = [];
  for await (const entry of tar) {
    const { name, type, linkname } = entry.header;
    const content = (await whole(entry)).toString();
    found.push(type === 'symlink' ? `${name}->${linkname}` : type === 'directory' ? name : `${name}=${content}`);
  }
  return found.sort();
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

describe('an archive of another job', () => {
  async function zipOf(members: { name: string; content?: string; mode?: number }[]): Promise<Buffer> {
    const zip = new ZipFile();
    for (const { name, content = '', mode = 0o100644 } of members) {
      // yazl refuses such names by itself; a hostile job does not.
      const placeholder = name.replaceAll('..', 'ZZ').replace(/^\//, 'Y');
      zip.addBuffer(Buffer.from(content), placeholder, { mode, compress: true });
    }
    zip.end();
    let bytes = await whole(zip.outputStream);
    for (const { name } of members) {
      const placeholder = name.replaceAll('..', 'ZZ').replace(/^\//, 'Y');
      bytes = Buffer.from(bytes.toString('latin1').replaceAll(placeholder, name), 'latin1');
    }
    return bytes;
  }

  async function unzipped(bytes: Buffer): Promise<{ files: Record<string, string>; refused: string[] }> {
    const refused: string[] = [];
    const files: Record<string, string> = {};
    const source = unpackZip(Readable.from([bytes]), (name, why) => refused.push(`${name}: ${why}`));
    const tar = source.pipe(extract());
    source.once('error', (error) => tar.destroy(error));
    for await (const entry of tar) {
      const { name, type, linkname } = entry.header;
      files[name] = type === 'symlink' ? `-> ${linkname ?? 'nowhere'}` : (await whole(entry)).toString('utf8');
      entry.resume();
    }
    return { files, refused };
  }

  it('is unpacked with its content and its links', async () => {
    const bytes = await zipOf([
      { name: 'out/a.txt', content: 'A'.repeat(100_000) },
      { name: 'out/link', content: 'a.txt', mode: 0o120777 },
    ]);
    const { files, refused } = await unzipped(bytes);

    expect(files).toEqual({ 'out/a.txt': 'A'.repeat(100_000), 'out/link': '-> a.txt' });
    expect(refused).toEqual([]);
  });

  it('cannot write outside of the project: ways up, absolute names and links are left out, the rest is not', async () => {
    const bytes = await zipOf([
      { name: '../evil', content: 'x' },
      { name: '/etc/evil', content: 'x' },
      { name: 'out', content: '/etc', mode: 0o120777 },
      { name: 'pipe', mode: 0o010644 },
      { name: 'fine', content: 'ok' },
    ]);
    const { files, refused } = await unzipped(bytes);

    expect(files).toEqual({ fine: 'ok' });
    expect(refused).toEqual([
      '../evil: it lies outside of the project',
      '/etc/evil: it lies outside of the project',
      'out: its link is absolute',
      'pipe: it is a fifo and not a file',
    ]);
  });

  it('cannot write through a link by another spelling of its name', async () => {
    const bytes = await zipOf([
      { name: './out', content: 'elsewhere', mode: 0o120777 },
      { name: 'out/through', content: 'x' },
      { name: 'out', content: 'x' },
      { name: './a//b', content: 'ok' },
    ]);
    const { files, refused } = await unzipped(bytes);

    expect(files).toEqual({ out: '-> elsewhere', 'a/b': 'ok' });
    expect(refused).toEqual(['out/through: it would be written through a link', 'out: it would replace a link']);
  });

  it('that is damaged is an error', async () => {
    await expect(unzipped(Buffer.from('no archive at all'))).rejects.toThrow();
    const bytes = await zipOf([{ name: 'a', content: 'abc'.repeat(1000) }]);
    await expect(unzipped(bytes.subarray(0, 40))).rejects.toThrow();
  });
});

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
    expect((await readFile(treeOf(FILES), 'out/deep/b.log'))?.toString()).toBe('B');
    expect(await readFile(treeOf(FILES), 'nowhere')).toBeUndefined();
  });
});
