import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isUntracked, parseGitIndex } from './git-index.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-index-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function git(...args: string[]): string {
  return execFileSync('git', ['-C', directory, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

function write(path: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), path);
}

const index = (bytes?: 20 | 32) => parseGitIndex(readFileSync(join(directory, '.git/index')), bytes);

const Name = fc.stringMatching(/^[a-zäß ]{1,12}$/).filter((name) => name.trim() === name);
const Path = fc.array(Name, { minLength: 1, maxLength: 3 }).map((segments) => `d/${segments.join('/')}.x`);

describe.each(['2', '4'])('an index of version %s', (version) => {
  it('tells the files that git itself calls untracked, whatever their names', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(Path, { maxLength: 12 }),
        fc.uniqueArray(Path, { maxLength: 12 }),
        (tracked, others) => {
          rmSync(directory, { recursive: true, force: true });
          mkdirSync(directory);
          git('init', '--quiet');
          write('always');
          for (const path of tracked) write(path);
          git('add', '--all');
          git('update-index', '--index-version', version);
          for (const path of others) write(path);

          const told = git('ls-files', '--others', '-z')
            .split('\0')
            .filter((path) => path !== '');
          const known = index();

          const files = [...new Set([...tracked, ...others, 'always'])];
          expect(files.filter((path) => isUntracked(known, path)).sort()).toEqual(told.sort());
        },
      ),
      { numRuns: 15 },
    );
  }, 60_000);
});

describe('an index', () => {
  it('of SHA-256 names is read as well', () => {
    git('init', '--quiet', '--object-format=sha256');
    write('a/b');
    git('add', '--all');

    expect([...index(32).files]).toEqual(['a/b']);
  });

  it('knows a submodule, and that what is in it is not ours', () => {
    git('init', '--quiet');
    write('sub/inner');
    execFileSync('git', ['-C', join(directory, 'sub'), 'init', '--quiet']);
    execFileSync('git', ['-C', join(directory, 'sub'), 'add', '--all']);
    execFileSync('git', [
      '-C',
      join(directory, 'sub'),
      '-c',
      'user.name=t',
      '-c',
      'user.email=t@e',
      'commit',
      '--quiet',
      '-m',
      'x',
    ]);
    git('add', 'sub');

    expect([...index().submodules]).toEqual(['sub']);
    expect(isUntracked(index(), 'sub/inner')).toBe(false);
    expect(isUntracked(index(), '.git/HEAD')).toBe(false);
  });

  it('that is none, or is cut off, is an error and no empty list', () => {
    git('init', '--quiet');
    write('a');
    git('add', '--all');
    const bytes = readFileSync(join(directory, '.git/index'));

    expect(() => parseGitIndex(Buffer.from('something else'))).toThrow(/no index/);
    expect(() => parseGitIndex(bytes.subarray(0, 40))).toThrow();
  });
});
