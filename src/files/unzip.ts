import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import { open as openZip, type Entry, type ZipFile } from 'yauzl';
import { copy } from './pack.js';
import { createGate, damaged, type Member } from './unpack.js';

/** What a link may say; a longer one is no path. */
const MAX_LINK_BYTES = 4096;

/**
 * GitLab's archive as a tar stream that cannot write outside of the directory where it is unpacked, by the same rules as a cache.
 * A ZIP is read from its end, so it goes through a temporary file.
 * @param refused told of what is left out
 * @returns the tar; destroyed with an error when the archive is damaged, and it cleans up behind itself
 */
export function unpackZip(archive: Readable, refused: (name: string, why: string) => void): Readable {
  const tar = pack();
  const output = new PassThrough();
  tar.pipe(output);
  tar.once('error', (error) => output.destroy(error));
  void (async () => {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-zip-'));
    try {
      const path = join(directory, 'archive');
      await pipeline(archive, createWriteStream(path, { mode: 0o600 }));
      await copyMembers(path, tar, output, refused).catch((error: unknown) => {
        throw damaged(error);
      });
      tar.finalize();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  })().catch((error: unknown) => output.destroy(error instanceof Error ? error : new Error(String(error))));
  return output;
}

async function copyMembers(
  path: string,
  tar: Pack,
  output: Readable,
  refused: (name: string, why: string) => void,
): Promise<void> {
  const zip = await openFile(path);
  const admit = createGate(refused);
  try {
    for await (const entry of entriesOf(zip)) {
      const header = admit(await headerOf(zip, entry), entry.isEncrypted() ? 'it is encrypted' : undefined);
      if (header === undefined) continue;
      const member = tar.entry(header);
      if (header.type === 'file') await copy(await openMember(zip, entry), member, output);
    }
  } finally {
    zip.close();
  }
}

/** The mode, and with it the kind, is in the upper half of the attributes, if the archive was made on Unix. */
async function headerOf(zip: ZipFile, entry: Entry): Promise<Member> {
  const name = entry.fileNameRaw.toString('utf8');
  const unix = entry.externalFileAttributes >>> 16;
  const common = { name, mtime: entry.getLastModDate() };
  const kind = unix & 0o170000;
  if (name.endsWith('/')) return { ...common, type: 'directory', mode: unix & 0o777 || 0o755, size: 0 };
  if (kind === 0o120000) {
    const target = entry.uncompressedSize > MAX_LINK_BYTES ? '' : await textOf(zip, entry);
    return { ...common, type: 'symlink', linkname: target, mode: 0o777, size: 0 };
  }
  const isFile = kind === 0 || kind === 0o100000;
  const mode = unix & 0o777 || 0o644;
  return { ...common, type: isFile ? 'file' : 'fifo', mode, size: isFile ? entry.uncompressedSize : 0 };
}

async function textOf(zip: ZipFile, entry: Entry): Promise<string> {
  return (await buffer(await openMember(zip, entry))).toString('utf8');
}

async function* entriesOf(zip: ZipFile): AsyncGenerator<Entry, void, undefined> {
  for (;;) {
    const entry = await new Promise<Entry | undefined>((resolve, reject) => {
      zip.removeAllListeners('entry').removeAllListeners('end').removeAllListeners('error');
      zip.once('entry', resolve);
      zip.once('end', () => resolve(undefined));
      zip.once('error', reject);
      zip.readEntry();
    });
    if (entry === undefined) return;
    yield entry;
  }
}

async function openFile(path: string): Promise<ZipFile> {
  return await new Promise((resolve, reject) => {
    // Names as they are: one bad name is refused by itself and does not spoil the archive.
    openZip(path, { lazyEntries: true, decodeStrings: false, autoClose: false }, (error, zip) =>
      error === null ? resolve(zip) : reject(error),
    );
  });
}

async function openMember(zip: ZipFile, entry: Entry): Promise<Readable> {
  return await new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, content) => (error === null ? resolve(content) : reject(error)));
  });
}
