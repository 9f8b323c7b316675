import { createHash } from 'node:crypto';
import { StoreError } from './store.js';

/** What every medium takes as it is, and people can read. `=` marks what had to be escaped, so no two segments meet. */
const PLAIN_SEGMENT = /^[A-Za-z0-9_%~+,:@-][A-Za-z0-9_%~+,:@.=-]{0,199}$/;

/** A key's segments in names that file systems and object stores take. @throws StoreError STORE_BAD_KEY */
export function segmentsOf(key: string): string[] {
  const segments = key.split('/');
  if (key === '' || segments.some((segment) => segment === '')) {
    throw new StoreError('STORE_BAD_KEY', `"${key}" is no key of the store: segments must not be empty`);
  }
  return segments.map(escapeSegment);
}

/** The key that `segmentsOf` made these names of. A segment whose name was too long is given by its hash. */
export function keyOfSegments(names: string[]): string {
  return names
    .map((name) => (/^=[0-9a-f]+$/.test(name) ? Buffer.from(name.slice(1), 'hex').toString('utf8') : name))
    .join('/');
}

/** File names end at 255 bytes, and some names mean something else to the file system. */
function escapeSegment(segment: string): string {
  if (PLAIN_SEGMENT.test(segment)) return segment;
  const hex = Buffer.from(segment).toString('hex');
  return hex.length <= 200 ? `=${hex}` : `=${createHash('sha256').update(segment).digest('hex')}-long`;
}
