import { createHash } from 'node:crypto';
import { BadPageError } from './errors.js';

const CHECK_BYTES = 6;

/**
 * Temporal's token of a page, as an address has it: behind a check sum. The token is Temporal's own affair, and of one that it cannot
 * read some servers say that they are away, so that it would be asked again and again.
 */
export function writePageToken(token: Uint8Array): string {
  return Buffer.concat([checkOf(token), token]).toString('base64url');
}

/** @throws BadPageError */
export function readPageToken(page: string): Buffer {
  const bytes = Buffer.from(page, 'base64url');
  const token = bytes.subarray(CHECK_BYTES);
  if (token.length === 0 || !checkOf(token).equals(bytes.subarray(0, CHECK_BYTES))) throw new BadPageError();
  return token;
}

function checkOf(token: Uint8Array): Buffer {
  return createHash('sha256').update(token).digest().subarray(0, CHECK_BYTES);
}
