import { createHash } from 'node:crypto';
import { PassThrough, type Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { pack as tarPack } from 'tar-stream';
import { ZipFile } from 'yazl';
import type { Subject } from './provenance.js';
import type { SelectedEntry } from './source.js';

/** What was packed; final once the stream has ended. */
export interface PackedFacts {
  files: number;
}

/** Time of members that have none: the beginning of what ZIP can say, so that the same files give the same bytes. */
const EPOCH = new Date(Date.UTC(1980, 0, 1));
const SYMLINK = 0o120000;
const REGULAR = 0o100000;

/** A member that tells of the others; last in the archive, and none where these are none. */
export interface Statement {
  name: string;
  about(subjects: readonly Subject[]): string;
}

interface Packing {
  /** Of deflate, 0 to 9; 0 only stores. Default: zlib's, for caches the quickest. */
  level?: number;
}

/** GitLab's archive: deterministic, so that a repeated upload has the same SHA-256. */
export function packZip(
  entries: AsyncIterable<SelectedEntry>,
  facts: PackedFacts,
  { statement, level }: Packing & { statement?: Statement } = {},
): Readable {
  const zip = new ZipFile();
  const subjects: Subject[] = [];
  const output = new PassThrough();
  zip.on('error', (error) => output.destroy(asError(error)));
  (zip.outputStream as Readable).pipe(output);
  void (async () => {
    for await (const { path, header, content } of entries) {
      if (path === statement?.name) continue;
      const options = {
        mtime: timeOf(header.mtime),
        mode: (header.mode ?? 0o644) | REGULAR,
        ...(level === undefined ? {} : { compressionLevel: level }),
      };
      if (header.type === 'directory')
        zip.addEmptyDirectory(path, { mtime: options.mtime, mode: (header.mode ?? 0o755) | 0o040000 });
      else if (header.type === 'file') {
        facts.files += 1;
        const member = new PassThrough();
        const hash = statement === undefined ? undefined : createHash('sha256');
        if (hash !== undefined) content.on('data', (chunk: Buffer) => hash.update(chunk));
        zip.addReadStream(member, path, options);
        await copy(content, member, output);
        if (hash !== undefined) subjects.push({ name: path, sha256: hash.digest('hex') });
      } else {
        facts.files += 1;
        zip.addBuffer(Buffer.from(header.linkname ?? ''), path, { ...options, mode: SYMLINK | 0o777 });
      }
    }
    if (statement !== undefined && facts.files > 0)
      zip.addBuffer(Buffer.from(statement.about(subjects)), statement.name, { mtime: EPOCH, mode: REGULAR | 0o644 });
    zip.end();
  })().catch((error: unknown) => output.destroy(asError(error)));
  return output;
}

/** GitLab's reports: one gzip member a file, one after another. */
export async function* packGzip(
  entries: AsyncIterable<SelectedEntry>,
  facts: PackedFacts,
  packing: Packing = {},
): AsyncGenerator<Buffer> {
  for await (const { header, content } of entries) {
    if (header.type !== 'file') continue;
    facts.files += 1;
    const member = createGzip(packing);
    content.once('error', (error) => member.destroy(error));
    yield* content.pipe(member) as AsyncIterable<Buffer>;
  }
}

/** The user's to put right: the same files give the same error. */
export class TooManyFilesError extends Error {
  override readonly name = 'TooManyFilesError';
}

/** Exactly one file, as it is. @throws TooManyFilesError when there are more */
export async function* packRaw(entries: AsyncIterable<SelectedEntry>, facts: PackedFacts): AsyncGenerator<Buffer> {
  for await (const { header, content } of entries) {
    if (header.type !== 'file') continue;
    facts.files += 1;
    if (facts.files > 1) throw new TooManyFilesError('only one file can be sent raw');
    for await (const chunk of content) yield chunk as Buffer;
  }
}

/** A cache: a compressed tar that keeps modes, times and links. */
export function packTarGz(
  entries: AsyncIterable<SelectedEntry>,
  facts: PackedFacts,
  { level = 1 }: Packing = {},
): Readable {
  const tar = tarPack();
  const output = createGzip({ level });
  tar.on('error', (error) => output.destroy(error));
  tar.pipe(output);
  void (async () => {
    for await (const { path, header, content } of entries) {
      if (header.type !== 'directory') facts.files += 1;
      const entry = tar.entry({ ...header, name: path });
      await copy(content, entry, output);
    }
    tar.finalize();
  })().catch((error: unknown) => tar.destroy(asError(error)));
  return output;
}

/** @param output where it all goes in the end: when its reader gives up, so does the copy */
export async function copy(from: Readable, to: NodeJS.WritableStream, output: Readable): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    from.once('error', reject);
    to.once('error', reject);
    to.once('finish', resolve);
    output.once('close', () => reject(new Error('The archive is no longer wanted')));
    from.pipe(to);
  });
}

function timeOf(mtime: Date | undefined): Date {
  return mtime === undefined || mtime < EPOCH ? EPOCH : mtime;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
