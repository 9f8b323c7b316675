import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceSpec } from '../contracts/job-spec.js';
import { getSourcesScript } from './git.js';

/** Real git, real shell, repositories on disk. */
let root: string;
let counter = 0;

function git(directory: string, ...args: string[]): string {
  return execFileSync('git', ['-c', 'protocol.file.allow=always', ...args], {
    cwd: directory,
    encoding: 'utf8',
    env: {
      ...process.env,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@x',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@x',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-git-'));
  for (const name of ['library', 'project']) {
    mkdirSync(join(root, name));
    git(join(root, name), 'init', '-q', '-b', 'main');
    for (const count of ['1', '2', '3']) {
      writeFileSync(join(root, name, 'file'), `${name} ${count}\n`);
      git(join(root, name), 'add', '.');
      git(join(root, name), 'commit', '-q', '-m', count);
    }
  }
  git(join(root, 'project'), 'submodule', 'add', '-q', join(root, 'library'), 'libs/one');
  git(join(root, 'project'), 'submodule', 'add', '-q', join(root, 'library'), 'libs/two');
  git(join(root, 'project'), 'commit', '-q', '-m', 'submodules');
  git(join(root, 'project'), 'tag', 'v1');
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

const head = () => git(join(root, 'project'), 'rev-parse', 'HEAD');

interface Fetched {
  code: number | null;
  output: string;
  directory: string;
  warnings: string[];
}

function fetchSources(
  variables: Record<string, string> = {},
  source: Partial<SourceSpec> = {},
  directory = join(root, `build-${String((counter += 1))}`, 'project'),
): Fetched {
  const warnings: string[] = [];
  const script = getSourcesScript({
    projectDirectory: directory,
    temporaryDirectory: `${directory}.tmp`,
    variables: {
      exports: Object.entries(variables).map(([key, value]) => ({ key, value })),
      files: [],
      lookup: (name) => variables[name],
      content: (name) => variables[name],
      predefined: [],
    },
    warnings,
    source: {
      repo: `file://${join(root, 'project')}`,
      ref: 'main',
      sha: head(),
      refspecs: ['+refs/heads/main:refs/remotes/origin/main'],
      depth: 2,
      strategy: 'fetch',
      submodules: 'none',
      attempts: 1,
      preScript: [],
      postScript: [],
      ...source,
    },
  });
  const home = join(root, 'home');
  mkdirSync(home, { recursive: true });
  // The pause between two attempts.
  writeFileSync(join(home, 'sleep'), '#!/bin/sh\n', { mode: 0o755 });
  const run = spawnSync('sh', [], {
    input: script,
    encoding: 'utf8',
    cwd: root,
    env: { PATH: `${home}:${process.env['PATH'] ?? ''}`, HOME: home },
  });
  return { code: run.status, output: `${run.stdout}${run.stderr}`, directory, warnings };
}

const textOf = ({ directory }: Fetched, path: string) => readFileSync(join(directory, path), 'utf8');

describe('getting the sources', () => {
  it('checks the commit out, as deep as asked, and says so', () => {
    const fetched = fetchSources();

    expect(fetched.output).toContain('Fetching changes with git depth set to 2...');
    expect(fetched.output).toContain('Created fresh repository.');
    expect(fetched.output).toMatch(/Checking out [0-9a-f]{8} as detached HEAD \(ref is main\)\.\.\./);
    expect(fetched.output).toContain('Skipping Git submodules setup');
    expect(fetched.code).toBe(0);
    expect(textOf(fetched, 'file')).toBe('project 3\n');
    expect(git(fetched.directory, 'rev-list', '--count', 'HEAD')).toBe('2');
  });

  it('fetches everything with GIT_DEPTH=0, also into a shallow copy', () => {
    const first = fetchSources();
    const again = fetchSources({ GIT_DEPTH: '0' }, {}, first.directory);

    expect(again.code).toBe(0);
    expect(again.output).toContain('Reinitialized existing Git repository.');
    expect(git(again.directory, 'rev-list', '--count', 'HEAD')).toBe('4');
  });

  it('fetch keeps what git clean is told to keep, and removes the rest', () => {
    const first = fetchSources();
    writeFileSync(join(first.directory, 'keep.o'), '');
    writeFileSync(join(first.directory, 'goes.txt'), '');
    writeFileSync(join(first.directory, 'file'), 'changed');
    writeFileSync(join(first.directory, '.git/index.lock'), '');
    const again = fetchSources({ GIT_CLEAN_FLAGS: '-ffdx -e *.o' }, {}, first.directory);

    expect(again.code).toBe(0);
    expect(existsSync(join(first.directory, 'keep.o'))).toBe(true);
    expect(existsSync(join(first.directory, 'goes.txt'))).toBe(false);
    expect(textOf(again, 'file')).toBe('project 3\n');
  });

  it('fetches with its own flags alone with GIT_FETCH_EXTRA_FLAGS=none', () => {
    const fetched = fetchSources({ GIT_FETCH_EXTRA_FLAGS: 'none' });

    expect(fetched.code).toBe(0);
    // Not quiet, then.
    expect(fetched.output).toContain('-> origin/main');
    expect(textOf(fetched, 'file')).toBe('project 3\n');
  });

  it('cleans nothing with GIT_CLEAN_FLAGS=none', () => {
    const first = fetchSources();
    writeFileSync(join(first.directory, 'stays.txt'), '');
    const again = fetchSources({ GIT_CLEAN_FLAGS: 'none' }, {}, first.directory);

    expect([again.code, existsSync(join(first.directory, 'stays.txt'))]).toEqual([0, true]);
  });

  it('clone begins anew', () => {
    const first = fetchSources();
    writeFileSync(join(first.directory, '.git/mark'), '');
    const again = fetchSources({ GIT_STRATEGY: 'clone', GIT_CLEAN_FLAGS: 'none' }, {}, first.directory);

    expect([again.code, existsSync(join(first.directory, '.git/mark'))]).toEqual([0, false]);
  });

  it('empty gives an empty directory and no hooks', () => {
    const first = fetchSources();
    const again = fetchSources({ GIT_STRATEGY: 'empty' }, { preScript: ['echo hook'] }, first.directory);

    expect([again.code, existsSync(join(first.directory, 'file'))]).toEqual([0, false]);
    expect(again.output).not.toContain('hook');
  });

  it('leaves the files alone with GIT_CHECKOUT=false', () => {
    const fetched = fetchSources({ GIT_CHECKOUT: 'False' });

    expect([fetched.code, existsSync(join(fetched.directory, 'file'))]).toEqual([0, false]);
    expect(fetched.output).toContain('Skipping Git checkout');
  });

  it('takes flags as words, never as shell', () => {
    const fetched = fetchSources({ GIT_FETCH_EXTRA_FLAGS: '--no-tags --quiet; touch /tmp/holdfast-evil' });

    expect(fetched.code).not.toBe(0);
    expect(existsSync('/tmp/holdfast-evil')).toBe(false);
  });

  it('passes extra flags to fetch', () => {
    expect(git(fetchSources({ GIT_FETCH_EXTRA_FLAGS: '--no-tags' }).directory, 'tag')).toBe('');
    const tags = { refspecs: ['+refs/tags/v1:refs/tags/v1'] };
    expect(git(fetchSources({}, tags).directory, 'tag')).toBe('v1');
  });

  it('runs the hooks around it, with the variables of the job', () => {
    const hooks = { preScript: ['echo "before $WHO"'], postScript: ['echo "after $(cat file)"'] };
    const fetched = fetchSources({ WHO: 'me' }, hooks);

    expect(fetched.output).toMatch(/before me[^]*Checking out[^]*after project 3/);
  });

  it('ends at a hook that fails', () => {
    expect(fetchSources({}, { preScript: ['exit 9'] }).code).toBe(9);
  });

  it('warns of what is malformed and goes on with the default', () => {
    const fetched = fetchSources({ GIT_STRATEGY: 'teleport', GIT_DEPTH: 'deep', GET_SOURCES_ATTEMPTS: '99' });

    expect(fetched.code).toBe(0);
    expect(fetched.warnings).toEqual([
      expect.stringContaining('GIT_DEPTH "deep"'),
      expect.stringContaining('GIT_STRATEGY "teleport"'),
      expect.stringContaining('GET_SOURCES_ATTEMPTS "99"'),
    ]);
  });

  it('tries again as often as asked, from a clean directory', () => {
    const mark = join(root, 'tried');
    const fetched = fetchSources(
      { GET_SOURCES_ATTEMPTS: '2' },
      { preScript: [`if [ ! -f ${mark} ]; then touch ${mark}; echo first; exit 1; fi`] },
    );

    expect(fetched.output).toContain('Deleting all tracked and untracked files due to source fetch failure');
    expect([fetched.code, textOf(fetched, 'file')]).toEqual([0, 'project 3\n']);
  });

  it.each([
    [{}, false, false],
    [{ GIT_SUBMODULE_STRATEGY: 'normal' }, true, true],
    [{ GIT_SUBMODULE_STRATEGY: 'recursive', GIT_SUBMODULE_DEPTH: '1' }, true, true],
    [{ GIT_SUBMODULE_STRATEGY: 'normal', GIT_SUBMODULE_PATHS: 'libs/one' }, true, false],
    [{ GIT_SUBMODULE_STRATEGY: 'normal', GIT_SUBMODULE_PATHS: ':(exclude)libs/one' }, false, true],
    [{ GIT_SUBMODULE_STRATEGY: 'normal', GIT_SUBMODULE_UPDATE_FLAGS: '--jobs 2 --no-fetch' }, true, true],
  ])('with %j has the submodules one: %s, two: %s', (variables, one, two) => {
    const fetched = fetchSources(variables);

    expect(fetched.output).not.toMatch(/fatal|error/);
    expect(fetched.code).toBe(0);
    expect(existsSync(join(fetched.directory, 'libs/one/file'))).toBe(one);
    expect(existsSync(join(fetched.directory, 'libs/two/file'))).toBe(two);
  });
});

describe('credentials of a repository', () => {
  const repo = 'https://gitlab-ci-token:t0ps3cret@gitlab.example:8443/a/b.git';
  const script = (variables: Record<string, string>) =>
    getSourcesScript({
      projectDirectory: '/builds/a/b',
      temporaryDirectory: '/builds/a/b.tmp',
      variables: {
        exports: [],
        files: [],
        lookup: (name) => variables[name],
        content: () => undefined,
        predefined: [],
      },
      warnings: [],
      source: {
        repo,
        refspecs: [],
        depth: 0,
        strategy: 'fetch',
        submodules: 'none',
        attempts: 1,
        preScript: [],
        postScript: [],
      },
    });

  it('stay out of the remote, so out of .git/config', () => {
    const lines = script({})
      .split('\n')
      .filter((line) => line.includes('t0ps3cret'));

    expect(script({})).toContain('git remote add origin https://gitlab.example:8443/a/b.git');
    expect(lines.every((line) => line.startsWith('export GIT_CONFIG_'))).toBe(true);
  });

  it('serve submodules that are named by SSH, when asked', () => {
    expect(script({})).not.toContain('git@gitlab.example:');
    expect(script({ GIT_SUBMODULE_FORCE_HTTPS: 'true' })).toContain('GIT_CONFIG_VALUE_7=git@gitlab.example:');
  });

  it("come with the coordinator's own authorities", () => {
    const { CA } = { CA: '/builds/a/b.tmp/CI_SERVER_TLS_CA_FILE' };

    expect(script({ CI_SERVER_TLS_CA_FILE: CA })).toContain(
      `=http.https://gitlab.example:8443.sslCAInfo GIT_CONFIG_VALUE_7=${CA}`,
    );
  });

  it("come with the runner's own certificate, for a coordinator that wants one", () => {
    const files = { CI_SERVER_TLS_CERT_FILE: '/b.tmp/CERT', CI_SERVER_TLS_KEY_FILE: '/b.tmp/KEY' };

    expect(script(files)).toContain('=http.https://gitlab.example:8443.sslCert GIT_CONFIG_VALUE_7=/b.tmp/CERT');
    expect(script(files)).toContain('=http.https://gitlab.example:8443.sslKey GIT_CONFIG_VALUE_8=/b.tmp/KEY');
  });
});
