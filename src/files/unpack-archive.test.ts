import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { extract, type Header } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { tarOf, untar, whole, type Member } from '../../test/support/archives.js';
import { unpackArchive } from './unpack-archive.js';
import { DamagedArchiveError } from './unpack.js';

/** In chunks of that size, as a store may give it. */
function inChunks(bytes: Buffer, size = 7): Readable {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return Readable.from(chunks, { objectMode: false });
}

async function unpacked(bytes: Buffer, chunk?: number): Promise<Buffer> {
  return await whole(await unpackArchive(inChunks(bytes, chunk), () => undefined));
}

async function zipOf(files: Record<string, string>): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name);
  zip.end();
  return await whole(zip.outputStream);
}

async function headersOf(bytes: Buffer): Promise<Header[]> {
  const tar = extract();
  tar.end(bytes);
  const headers: Header[] = [];
  for await (const entry of tar) {
    headers.push(entry.header);
    entry.resume();
  }
  return headers;
}

describe("the archive of another job's artifacts", () => {
  it.each([1, 3, 1000])('may be a ZIP, however it comes (%i bytes at a time)', async (chunk) => {
    expect(await untar(await unpacked(await zipOf({ 'out/a': 'A' }), chunk))).toEqual(['out/a=A']);
  });

  it.each([1, 3, 1000])('may be a tar.gz, however it comes (%i bytes at a time)', async (chunk) => {
    const bytes = gzipSync(await tarOf([{ name: 'out/a', content: 'A' }]));

    expect(await untar(await unpacked(bytes, chunk))).toEqual(['out/a=A']);
  });

  it('makes nobody the superuser, whatever its owner has put into it', async () => {
    const bytes = gzipSync(await tarOf([{ name: 'sh', content: 'x', mode: 0o6755, uid: 7, gid: 7, uname: 'root' }]));

    expect(await headersOf(await unpacked(bytes))).toMatchObject([{ mode: 0o755, uid: 0, gid: 0, uname: '' }]);
  });

  it('cannot rename its files behind the back of who has checked their names', async () => {
    const sparse = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': '../../etc/evil' };
    const bytes = gzipSync(await tarOf([{ name: 'good', content: 'x', pax: sparse }]));
    const [source] = await headersOf(await tarOf([{ name: 'good', content: 'x', pax: sparse }]));
    expect(source!.pax).toMatchObject(sparse);

    const result = await unpacked(bytes);

    expect(await untar(result)).toEqual(['good=x']);
    expect(result.includes('evil')).toBe(false);
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'it is empty'],
    ['a page', Buffer.from('<html>Sorry</html>'), 'it begins with "<htm"'],
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0]), 'compressed with zstd'],
    ['a gzip of no tar', gzipSync('<testsuite/>'), 'end of data'],
    ['a ZIP that is cut off', Buffer.from('PK\x03\x04'), 'truncated'],
    ['one byte', Buffer.from('P'), 'it begins with "P"'],
  ])('is damaged when it is %s', async (_what, bytes, says) => {
    const reading = unpacked(bytes);

    await expect(reading).rejects.toBeInstanceOf(DamagedArchiveError);
    await expect(reading).rejects.toThrow(says);
  });

  it('may be any bytes without harm, and never hangs', async () => {
    const magic = fc.constantFrom('', 'PK\x03\x04', '\x1f\x8b\x08', '\x28\xb5\x2f\xfd');
    await fc.assert(
      fc.asyncProperty(magic, fc.uint8Array({ maxLength: 300 }), async (begin, rest) => {
        const bytes = Buffer.concat([Buffer.from(begin, 'latin1'), rest]);
        await unpacked(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(DamagedArchiveError));
      }),
      { numRuns: 200 },
    );
  });

  it('is read again, and not called damaged, when the store breaks off', async () => {
    const bytes = gzipSync(await tarOf([{ name: 'a', content: 'x'.repeat(10_000) } satisfies Member]));
    for (const after of [1, 20]) {
      const broken = Readable.from(
        (function* () {
          yield bytes.subarray(0, after);
          throw new Error('the store is away');
        })(),
        { objectMode: false },
      );
      const reading = unpackArchive(broken, () => undefined).then(whole);

      await expect(reading).rejects.toThrow('the store is away');
      await expect(reading).rejects.not.toBeInstanceOf(DamagedArchiveError);
    }
  });
});
