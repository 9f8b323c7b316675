import { once } from 'node:events';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { tarOf, untar, whole, type Member } from '../../test/support/archives.js';
import { unpackTarGz } from './unpack.js';
import { unpackZip } from './unzip.js';

it('lets go of an archive that is no longer wanted, however little of it was read', async () => {
  const archive = new Readable({ read: () => undefined });
  unpackTarGz(archive, () => undefined).destroy();

  await expect(once(archive, 'close')).rejects.toThrow('no longer wanted');
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
