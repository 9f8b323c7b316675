import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

export class KeyRingError extends Error {
  override readonly name = 'KeyRingError';
}

/** AES-256-GCM keys by id. The first encrypts, all decrypt, so a key is replaced by putting a new one before it. */
export interface KeyRing {
  readonly encryptingKeyId: string;
  encrypt(plain: Uint8Array): { keyId: string; sealed: Buffer };
  /** @throws KeyRingError when the id is unknown, or the bytes are not what was sealed */
  decrypt(keyId: string, sealed: Uint8Array): Buffer;
  /** For files: the key's id travels with the bytes. */
  seal(plain: Buffer): Buffer;
  open(sealed: Buffer): Buffer;
}

/** @param text one key a line, `id:base64` or `base64`; empty lines and `#` comments do not count */
export function parseKeyRing(text: string): KeyRing {
  const keys = new Map<string, Buffer>();
  text.split(/\r?\n/).forEach((line, index) => {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return;
    const colon = trimmed.indexOf(':');
    const key = Buffer.from(trimmed.slice(colon + 1), 'base64');
    if (key.length !== KEY_BYTES) {
      throw new KeyRingError(
        `Line ${String(index + 1)} of the key file holds ${String(key.length)} bytes; a key is 32 bytes in base64 (openssl rand -base64 32)`,
      );
    }
    const id = colon === -1 ? createHash('sha256').update(key).digest('hex').slice(0, 12) : trimmed.slice(0, colon);
    if (keys.has(id)) throw new KeyRingError(`Key id "${id}" stands twice in the key file`);
    keys.set(id, key);
  });
  const [first] = keys;
  if (first === undefined) throw new KeyRingError('The key file holds no key: openssl rand -base64 32 makes one');
  return createKeyRing(first[0], keys);
}

function createKeyRing(encryptingKeyId: string, keys: Map<string, Buffer>): KeyRing {
  function keyOf(id: string): Buffer {
    const key = keys.get(id);
    if (key !== undefined) return key;
    throw new KeyRingError(`Key "${id}" is not in the key file (it has ${[...keys.keys()].join(', ')})`);
  }

  const ring: KeyRing = {
    encryptingKeyId,
    encrypt(plain) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', keyOf(encryptingKeyId), iv);
      return {
        keyId: encryptingKeyId,
        sealed: Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]),
      };
    },
    decrypt(keyId, sealed) {
      const key = keyOf(keyId);
      if (sealed.length < IV_BYTES + TAG_BYTES) throw new KeyRingError('The sealed bytes are too short to be ours');
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES));
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
      try {
        return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, sealed.length - TAG_BYTES)), decipher.final()]);
      } catch (cause) {
        throw new KeyRingError(
          `Bytes sealed with key "${keyId}" cannot be opened: they were changed, or the key is another one`,
          { cause },
        );
      }
    },
    seal(plain) {
      const { keyId, sealed } = ring.encrypt(plain);
      const id = Buffer.from(keyId);
      return Buffer.concat([Buffer.from([id.length]), id, sealed]);
    },
    open(sealed) {
      const length = sealed[0] ?? 0;
      return ring.decrypt(sealed.subarray(1, 1 + length).toString('utf8'), sealed.subarray(1 + length));
    },
  };
  return ring;
}

/** @returns the ring, and a warning when others can read the file */
export async function loadKeyRing(file: string): Promise<{ ring: KeyRing; warnings: string[] }> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new KeyRingError(`The key file ${file} cannot be read`, { cause });
  });
  const { mode } = await stat(file);
  const open = (mode & 0o077) !== 0;
  return { ring: parseKeyRing(text), warnings: open ? [`${file} can be read by others: chmod 600 ${file}`] : [] };
}

/** Makes a key file with one new key, mode 0600, unless there is one. @returns whether it was made */
export async function createKeyFile(file: string): Promise<boolean> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  try {
    await writeFile(file, `${randomBytes(KEY_BYTES).toString('base64')}\n`, { flag: 'wx', mode: 0o600 });
    await chmod(file, 0o600);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}
