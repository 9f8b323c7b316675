import { Readable } from 'node:stream';
import { damaged, unpackTarGz } from './unpack.js';
import { unpackZip } from './unzip.js';

const KINDS: { magic: Buffer; kind: 'zip' | 'gzip' | 'zstd' }[] = [
  { magic: Buffer.from('PK'), kind: 'zip' },
  { magic: Buffer.from([0x1f, 0x8b]), kind: 'gzip' },
  { magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), kind: 'zstd' },
];
const LONGEST_MAGIC = 4;

/**
 * The artifacts of a job as a safe tar stream, whatever their archive is: GitLab takes ZIPs only, but looks at the name of the format
 * and not at the bytes, so anything may be behind it.
 * @param refused told of what is left out
 * @returns the tar; destroyed with a `DamagedArchiveError` when it is no archive that we read
 */
export async function unpackArchive(
  archive: Readable,
  refused: (name: string, why: string) => void,
): Promise<Readable> {
  const { head, whole } = await beginningOf(archive);
  const kind = KINDS.find(({ magic }) => head.subarray(0, magic.length).equals(magic))?.kind;
  if (kind === 'zip') return unpackZip(whole, refused);
  if (kind === 'gzip') return unpackTarGz(whole, refused, { foreign: true });
  whole.destroy();
  return failing(damaged(new Error(kind === 'zstd' ? UNREADABLE : notAnArchive(head))));
}

const UNREADABLE = 'it is compressed with zstd, which is not read here: GitLab itself takes ZIP archives only';

function notAnArchive(head: Buffer): string {
  if (head.length === 0) return 'it is empty';
  return `it is neither a ZIP nor a tar.gz archive: it begins with ${JSON.stringify(head.toString('latin1'))}`;
}

/** Reads as far as the kind shows, and puts it back. */
async function beginningOf(archive: Readable): Promise<{ head: Buffer; whole: Readable }> {
  const chunks: Buffer[] = [];
  const rest = archive[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
  for (let bytes = 0; bytes < LONGEST_MAGIC;) {
    const next = await rest.next();
    if (next.done === true) break;
    chunks.push(next.value);
    bytes += next.value.length;
  }
  async function* all() {
    yield* chunks;
    yield* { [Symbol.asyncIterator]: () => rest };
  }
  return {
    head: Buffer.concat(chunks).subarray(0, LONGEST_MAGIC),
    whole: Readable.from(all(), { objectMode: false }).once('close', () => archive.destroy()),
  };
}

function failing(error: Error): Readable {
  return new Readable({
    read() {
      this.destroy(error);
    },
  });
}
