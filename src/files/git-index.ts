/**
 * What git tracks, from `.git/index` itself, so that neither a git nor another container is needed to know what is untracked.
 * Format: https://git-scm.com/docs/index-format, versions 2 to 4.
 */
export interface GitIndex {
  /** Paths relative to the project. */
  files: ReadonlySet<string>;
  /** Submodules: what is below them is theirs. */
  submodules: ReadonlySet<string>;
}

/** Before an entry's flags: times, device, inode, mode, owner, size; then the object's name. */
const STAT_BYTES = 40;
const MODE_OFFSET = 24;
const GITLINK = 0o160000;
const EXTENDED = 0x4000;

/** All paths together: version 4 can name a path of a megabyte in one byte. */
const MAX_PATH_BYTES = 256 * 1024 * 1024;

/** It is no index, or one whose entries are partly elsewhere. A job can make it anything. */
export class DamagedIndexError extends Error {
  override readonly name = 'DamagedIndexError';
}

/**
 * @param objectIdBytes 20 for SHA-1, 32 for SHA-256
 * @throws DamagedIndexError
 */
export function parseGitIndex(bytes: Buffer, objectIdBytes: 20 | 32 = 20): GitIndex {
  try {
    return parse(bytes, objectIdBytes);
  } catch (error) {
    throw new DamagedIndexError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function parse(bytes: Buffer, objectIdBytes: 20 | 32): GitIndex {
  if (bytes.length < 12 || bytes.toString('latin1', 0, 4) !== 'DIRC') throw new Error('it is no index of git');
  const version = bytes.readUInt32BE(4);
  if (version < 2 || version > 4) throw new Error(`its version is ${String(version)}`);
  const files = new Set<string>();
  const submodules = new Set<string>();
  let at = 12;
  let path: Buffer = Buffer.alloc(0);
  let pathBytes = 0;
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    const begin = at;
    const mode = bytes.readUInt32BE(at + MODE_OFFSET);
    at += STAT_BYTES + objectIdBytes;
    const flags = bytes.readUInt16BE(at);
    at += (flags & EXTENDED) !== 0 && version >= 3 ? 4 : 2;
    if (version === 4) {
      const stripped = readOffset(bytes, at);
      path = Buffer.concat([path.subarray(0, path.length - stripped.value), nameAt(bytes, stripped.next)]);
      at = bytes.indexOf(0, stripped.next) + 1;
    } else {
      path = nameAt(bytes, at);
      // One to eight NULs, to a multiple of eight.
      at = begin + ((at - begin + path.length + 8) & ~7);
    }
    pathBytes += path.length;
    if (pathBytes > MAX_PATH_BYTES) throw new Error('its paths are too long');
    ((mode & 0o170000) === GITLINK ? submodules : files).add(path.toString('utf8'));
  }
  // A split index keeps most entries in another file.
  if (bytes.toString('latin1', at, at + 4) === 'link') throw new Error('it is split over several files');
  return { files, submodules };
}

function nameAt(bytes: Buffer, at: number): Buffer {
  const end = bytes.indexOf(0, at);
  if (end === -1) throw new Error('it ends in the middle of a name');
  return bytes.subarray(at, end);
}

/** The variable-width number of pack files' offset deltas. */
function readOffset(bytes: Buffer, from: number): { value: number; next: number } {
  let at = from;
  let byte = bytes.readUInt8(at++);
  let value = byte & 0x7f;
  while ((byte & 0x80) !== 0) {
    byte = bytes.readUInt8(at++);
    value = (value + 1) * 128 + (byte & 0x7f);
  }
  return { value, next: at };
}

/** What `git ls-files --others` tells: everything that is not tracked, what is ignored too. */
export function isUntracked(index: GitIndex, path: string): boolean {
  if (path === '.git' || path.startsWith('.git/') || index.files.has(path)) return false;
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    if (index.submodules.has(path.slice(0, end))) return false;
  }
  return true;
}
