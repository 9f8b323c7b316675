import { mkdtempSync, rmSync, statSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKeyFile, KeyRingError, loadKeyRing, parseKeyRing } from './key-ring.js';

const KEY_A = Buffer.alloc(32, 1).toString('base64');
const KEY_B = Buffer.alloc(32, 2).toString('base64');

describe('a key ring', () => {
  it('opens what it sealed, and nothing that was changed', () => {
    const ring = parseKeyRing(`a:${KEY_A}`);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (plain, at) => {
        const sealed = ring.seal(Buffer.from(plain));
        expect(ring.open(sealed).equals(Buffer.from(plain))).toBe(true);
        const changed = Buffer.from(sealed);
        const position = at % changed.length;
        changed[position] = (changed[position] ?? 0) ^ 1;
        expect(() => ring.open(changed)).toThrow(KeyRingError);
      }),
    );
  });

  it('encrypts with the first key and reads with all, so that keys can be replaced', () => {
    const old = parseKeyRing(`a:${KEY_A}`).seal(Buffer.from('x'));
    const rotated = parseKeyRing(`# new one first\nb:${KEY_B}\n\na:${KEY_A}\n`);

    expect(rotated.encryptingKeyId).toBe('b');
    expect(rotated.open(old).toString()).toBe('x');
    expect(() => parseKeyRing(`b:${KEY_B}`).open(old)).toThrow('Key "a" is not in the key file (it has b)');
  });

  it('never gives the same bytes twice for the same text', () => {
    const ring = parseKeyRing(KEY_A);

    expect(ring.seal(Buffer.from('x')).equals(ring.seal(Buffer.from('x')))).toBe(false);
  });

  it.each([
    ['', 'holds no key'],
    ['# only a comment', 'holds no key'],
    ['a:c2hvcnQ=', 'Line 1 of the key file holds 5 bytes'],
    [`a:${KEY_A}\na:${KEY_B}`, 'Key id "a" stands twice'],
  ])('refuses the key file %j', (text, message) => {
    expect(() => parseKeyRing(text)).toThrow(message);
  });

  it('refuses bytes of any kind without breaking', () => {
    const ring = parseKeyRing(KEY_A);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(() => ring.open(Buffer.from(bytes))).toThrow(KeyRingError);
      }),
    );
  });
});

describe('a key file', () => {
  it('is made once, for its own user only, and warned about when others can read it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-key-'));
    const file = join(directory, 'deep', 'key');
    try {
      expect(await createKeyFile(file)).toBe(true);
      expect(await createKeyFile(file)).toBe(false);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect((await loadKeyRing(file)).warnings).toEqual([]);
      chmodSync(file, 0o644);
      expect((await loadKeyRing(file)).warnings).toEqual([`${file} can be read by others: chmod 600 ${file}`]);
      await expect(loadKeyRing(join(directory, 'none'))).rejects.toThrow(/The key file .*none cannot be read/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
