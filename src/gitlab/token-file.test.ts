import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTokenFile } from './token-file.js';

const OLD = 'glrt-the-old-token';
const NEW = 'glrt-the-new-token';
let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-token-'));
  path = join(directory, 'token');
  writeFileSync(path, `${OLD}\n`, { mode: 0o600 });
});

afterEach(() => rmSync(directory, { recursive: true }));

const inPlace = () => readFileSync(path, 'utf8').trim();
const age = (name: string, ms: number) =>
  utimesSync(join(directory, name), new Date(Date.now() - ms), new Date(Date.now() - ms));

describe('a token in a file', () => {
  it('is told with the time since when it has been there', async () => {
    age('token', 3_600_000);
    const { token, sinceMs } = await createTokenFile(path).read();

    expect(token).toBe(OLD);
    expect(Date.now() - sinceMs).toBeGreaterThan(3_590_000);
  });

  it('gives way to another one, whose file is as private, and nothing else is left', async () => {
    chmodSync(path, 0o640);
    const replacement = await createTokenFile(path).prepare();
    expect(inPlace()).toBe(OLD);
    await replacement.commit(NEW);

    expect(readFileSync(path, 'utf8')).toBe(`${NEW}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(directory)).toEqual(['token']);
  });

  it('stays when no other one came', async () => {
    const replacement = await createTokenFile(path).prepare();
    await replacement.abandon();

    expect(inPlace()).toBe(OLD);
    expect(readdirSync(directory)).toEqual(['token']);
  });

  it('is replaced where a link leads to, and the link stays', async () => {
    const other = mkdtempSync(join(tmpdir(), 'holdfast-token-link-'));
    symlinkSync(path, join(other, 'link'));
    await (await createTokenFile(join(other, 'link')).prepare()).commit(NEW);

    expect(inPlace()).toBe(NEW);
    expect(readdirSync(other)).toEqual(['link']);
    rmSync(other, { recursive: true });
  });

  it('is not promised a replacement where none can be', async () => {
    await expect(createTokenFile(join(directory, 'missing')).prepare()).rejects.toThrow('ENOENT');
    // A file system without hard links, and without a place for another file.
    await expect(createTokenFile('/proc/self/comm').prepare()).rejects.toThrow('cannot be replaced');
  });
});

describe('what a worker has left that died', () => {
  it('before it had a token is no token, and goes when it is old', async () => {
    writeFileSync(`${path}.0123abcd.new`, ' '.repeat(4096));

    expect(await createTokenFile(path).recover()).toBe(false);
    expect(readdirSync(directory)).toHaveLength(2);
    age('token.0123abcd.new', 3_600_000);
    expect(await createTokenFile(path).recover()).toBe(false);
    expect(readdirSync(directory)).toEqual(['token']);
    expect(inPlace()).toBe(OLD);
  });

  it('with the token written and not yet in its place is put there', async () => {
    age('token', 60_000);
    writeFileSync(`${path}.0123abcd.new`, `${NEW}\n`);

    expect(await createTokenFile(path).recover()).toBe(true);
    expect(inPlace()).toBe(NEW);
    expect(readdirSync(directory)).toEqual(['token']);
  });

  it('is not taken when a person has put another token there since', async () => {
    writeFileSync(`${path}.0123abcd.new`, `${NEW}\n`);
    age('token.0123abcd.new', 60_000);

    expect(await createTokenFile(path).recover()).toBe(false);
    expect(inPlace()).toBe(OLD);
  });

  it('is a token only when it is whole, wherever the write was cut off', async () => {
    const whole = Buffer.from(`${NEW}\n`);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), fc.boolean(), async (length, padded) => {
        age('token', 60_000);
        const cut = Buffer.concat([whole.subarray(0, length), Buffer.alloc(padded ? 4096 - length : 0, ' ')]);
        writeFileSync(`${path}.0123abcd.new`, cut);

        expect(await createTokenFile(path).recover()).toBe(false);
        expect(inPlace()).toBe(OLD);
      }),
    );
  });

  it('and files of others are left alone', async () => {
    age('token', 60_000);
    for (const name of ['token.new', 'token.bak', 'other.0123abcd.new'])
      writeFileSync(join(directory, name), `${NEW}\n`);

    expect(await createTokenFile(path).recover()).toBe(false);
    expect(readdirSync(directory).sort()).toEqual(['other.0123abcd.new', 'token', 'token.bak', 'token.new']);
  });
});
