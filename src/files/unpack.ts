import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract, pack, type Header as Headers } from 'tar-stream';

/** What an archive may grow to when it is unpacked. */
export const MAX_UNPACKED_BYTES = 20 * 1024 ** 3;

/** What the archive holds is not what an archive holds: reading it again does not help. */
export class DamagedArchiveError extends Error {
  override readonly name = 'DamagedArchiveError';
}

/**
 * A cache archive as a tar stream that cannot write outside of the directory where it is unpacked: no absolute paths, no `..`, no
 * devices, no links that lead out, nothing below a link. What is left out is reported.
 * @param options.foreign not made by us: owners and special modes are not kept
 */
export function unpackTarGz(
  archive: Readable,
  refused: (name: string, why: string) => void,
  options: { foreign?: boolean } = {},
): Readable {
  const output = pack();
  let readError: Error | undefined;
  void (async () => {
    const admit = createGate(refused);
    const tar = extract();
    const gunzip = createGunzip();
    archive.once('error', (error) => {
      readError = error;
      gunzip.destroy(error);
    });
    gunzip.once('error', (error) => tar.destroy(error));
    archive.pipe(gunzip).pipe(tar);
    for await (const entry of tar) {
      const header = admit(options.foreign === true ? owned(entry.header) : entry.header);
      if (header === undefined) {
        entry.resume();
        continue;
      }
      const target = output.entry(header);
      await new Promise<void>((resolve, reject) => {
        entry.once('error', reject);
        target.once('error', reject);
        target.once('finish', resolve);
        output.once('close', () => reject(new Error('The archive is no longer wanted')));
        entry.pipe(target);
      });
    }
    output.finalize();
  })().catch((error: unknown) => output.destroy(readError ?? damaged(error)));
  // However little of it was read, and though it may say nothing more.
  output.once('close', () => archive.destroy(new Error('The archive is no longer wanted')));
  return Readable.from(output);
}

/** What somebody else has packed makes nobody the superuser. */
function owned(header: Headers): Headers {
  return { ...header, mode: (header.mode ?? 0o644) & 0o777, uid: 0, gid: 0, uname: '', gname: '' };
}

export function damaged(error: unknown): DamagedArchiveError {
  return new DamagedArchiveError(error instanceof Error ? error.message : String(error), { cause: error });
}

/** A member of an archive, whatever its format. */
export type Member = Pick<Headers, 'name' | 'type'> & Partial<Headers>;

/**
 * Lets through what may be unpacked, under the one name that its path has.
 * @param refused told of what is left out
 * @returns called once for each member, in their order: its header as it may be unpacked; undefined: it may not.
 *   It throws when the archive grows beyond {@link MAX_UNPACKED_BYTES}.
 */
export function createGate(refused: (name: string, why: string) => void) {
  const links = new Set<string>();
  let bytes = 0;
  return (member: Member, unreadable?: string): Member | undefined => {
    bytes += member.size ?? 0;
    if (bytes > MAX_UNPACKED_BYTES) throw new Error('the archive unpacks to more than 20 GiB');
    const why = unreadable ?? refusal(member, links);
    if (why !== undefined) {
      refused(member.name, why);
      return undefined;
    }
    if (member.type === 'symlink') links.add(normal(member.name));
    // Records of the archive's own could give a member another name than the one that was looked at.
    const header = { ...member, name: nameOf(member) };
    delete header.pax;
    return header;
  };
}

/** Why an entry must not be unpacked, or undefined. @param links symlinks of the archive so far */
function refusal({ name, type, linkname }: Member, links: ReadonlySet<string>): string | undefined {
  if (!isInside(name)) return 'it lies outside of the project';
  const path = normal(name);
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    if (links.has(path.slice(0, end))) return 'it would be written through a link';
  }
  switch (type) {
    case 'file':
    case 'directory':
      return links.has(path) ? 'it would replace a link' : undefined;
    case 'symlink':
      return linkRefusal(path, linkname);
    case 'link':
      return linkname != null && isInside(linkname) && !links.has(normal(linkname))
        ? undefined
        : 'its link leads outside of the project';
    default:
      return `it is a ${type ?? 'thing'} and not a file`;
  }
}

function linkRefusal(path: string, target: string | null | undefined): string | undefined {
  if (target == null || posix.isAbsolute(target)) return 'its link is absolute';
  const steps = target.split('/').filter((step) => step !== '' && step !== '.');
  const firstName = steps.findIndex((step) => step !== '..');
  // Up again after a name: where that leads depends on what the name is, perhaps another link.
  if (firstName !== -1 && steps.includes('..', firstName)) return 'its link goes down and up again';
  return isInside(posix.join(posix.dirname(path), target)) ? undefined : 'its link leads outside of the project';
}

function isInside(name: string): boolean {
  if (name.includes('\0') || posix.isAbsolute(name) || name.includes('\\..')) return false;
  const path = normal(name);
  return path !== '..' && !path.startsWith('../');
}

function normal(name: string): string {
  return posix.normalize(name).replace(/\/+$/, '');
}

function nameOf(header: Member): string {
  return header.type === 'directory' ? `${normal(header.name)}/` : normal(header.name);
}
