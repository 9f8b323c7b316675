import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCoordinator, type TestCoordinator } from '../../support/coordinator/coordinator.js';
import { variable } from '../../support/coordinator/payload.js';
import { startGitServer, type GitServer } from '../../support/git-server.js';
import { startStack, type Stack } from '../../support/stack.js';

const HELPER = 'alpine/git';
const HELPER_WITH_LFS = 'holdfast/test-git-lfs:1';
const PASSWORD = 'password-of-the-repository';

let git: GitServer;
let coordinator: TestCoordinator;
let stack: Stack;

beforeAll(async () => {
  git = await startGitServer({
    username: 'gitlab-ci-token',
    password: PASSWORD,
    repositories: {
      'group/inner.git': { files: { file: 'inner\n' } },
      'group/library.git': {
        files: { file: 'library\n' },
        largeFiles: { 'large.bin': 'large file of the library\n' },
        submodules: { nested: { of: 'group/inner.git', url: '../inner.git' } },
        earlierCommits: 3,
      },
      'other/tool.git': { files: { file: 'tool\n' } },
      'group/project.git': {
        files: { file: 'project\n' },
        largeFiles: { 'data/large.bin': 'large file of the project\n' },
        submodules: {
          'libs/one': { of: 'group/library.git', url: '../library.git' },
          'libs/two': { of: 'other/tool.git', url: '../../other/tool.git' },
        },
        earlierCommits: 3,
      },
    },
  });
  coordinator = await startCoordinator();
  stack = await startStack({
    engine: { capacity: 6, helperImage: helperWithLfs() },
    top: { gitlab: [{ name: 'main', url: coordinator.url, token: coordinator.runnerToken }] },
  });
});

afterAll(async () => {
  await stack.close();
  await Promise.all([git.close(), coordinator.close()]);
});

/** The usual helper, where it has git-lfs as the one of Docker Hub; or one made of it and this machine's git-lfs. */
function helperWithLfs(): string {
  const runs = (...args: string[]) => {
    try {
      execFileSync('docker', args, { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  };
  if (runs('run', '--rm', '--entrypoint', 'git', HELPER, 'lfs', 'version')) return HELPER;
  if (runs('image', 'inspect', HELPER_WITH_LFS)) return HELPER_WITH_LFS;
  const context = mkdtempSync(join(tmpdir(), 'holdfast-lfs-'));
  copyFileSync(execFileSync('sh', ['-c', 'command -v git-lfs'], { encoding: 'utf8' }).trim(), join(context, 'git-lfs'));
  writeFileSync(join(context, 'Dockerfile'), `FROM ${HELPER}\nCOPY git-lfs /usr/local/bin/git-lfs\n`);
  execFileSync('docker', ['build', '--quiet', '--tag', HELPER_WITH_LFS, context], { stdio: 'ignore' });
  rmSync(context, { recursive: true });
  return HELPER_WITH_LFS;
}

async function traceOf(variables: Record<string, string>, script: string[]): Promise<string> {
  const job = coordinator.addJob({
    image: { name: HELPER, entrypoint: [''] },
    git_info: {
      repo_url: `${git.url.replace('//', `//gitlab-ci-token:${PASSWORD}@`)}/group/project.git`,
      ref: 'main',
      sha: git.sha,
      refspecs: ['+refs/heads/main:refs/remotes/origin/main'],
      depth: 1,
    },
    variables: [
      variable('GIT_STRATEGY', 'clone'),
      ...Object.entries(variables).map(([key, value]) => variable(key, value)),
    ],
    script: ['git config --global --add safe.directory "*"', ...script],
  });
  await coordinator.untilOver(job.id, 120_000);
  const trace = job.trace.toString('utf8');
  expect(job.status, trace).toBe('success');
  expect(trace).not.toContain(PASSWORD);
  expect(coordinator.violations).toEqual([]);
  return trace;
}

describe.concurrent('sources from a server of git', () => {
  it('come with all submodules, named relative to the project, as deep as asked and with the job’s credentials', async () => {
    const trace = await traceOf({ GIT_SUBMODULE_STRATEGY: 'recursive' }, [
      'cat file libs/one/file libs/one/nested/file libs/two/file',
      'echo "depth $(git rev-list --count HEAD) and $(git -C libs/one rev-list --count HEAD)"',
      // A large file counts as changed for a git without LFS.
      'echo "clean$(git status --short -- file libs/two)."',
    ]);

    expect(trace).toMatch(/project\nlibrary\ninner\ntool\n/);
    expect(trace).toContain('depth 1 and 1');
    expect(trace).toContain('clean.');
  });

  it('come with the submodules of the project alone, and with another depth for them', async () => {
    const trace = await traceOf({ GIT_SUBMODULE_STRATEGY: 'normal', GIT_SUBMODULE_DEPTH: '3' }, [
      'cat libs/one/file; ls libs/one/nested | wc -l',
      'echo "depth $(git rev-list --count HEAD) and $(git -C libs/one rev-list --count HEAD)"',
    ]);

    expect(trace).toMatch(/library\n0\n/);
    expect(trace).toContain('depth 1 and 3');
  });

  it('come without the submodules that are left out', async () => {
    const trace = await traceOf(
      { GIT_SUBMODULE_STRATEGY: 'recursive', GIT_SUBMODULE_PATHS: ':(exclude)libs/two', GIT_FETCH_EXTRA_FLAGS: 'none' },
      ['cat libs/one/nested/file; echo "$(ls libs/two | wc -l) files"'],
    );

    expect(trace).toMatch(/inner\n0 files\n/);
    expect(trace).not.toContain('tool');
  });

  it('come with their large files, also those of submodules, and the script needs no git-lfs', async () => {
    const trace = await traceOf({ GIT_SUBMODULE_STRATEGY: 'normal' }, [
      'cat data/large.bin libs/one/large.bin',
      'git config --get-regexp "filter.*" || echo no filters',
    ]);

    expect(trace).toMatch(/large file of the project\nlarge file of the library\n/);
    expect(trace).toContain('no filters');
    expect(git.largeFiles).toContain('large file of the project\n');
  });

  it('come without their large files where these are not wanted', async () => {
    const trace = await traceOf({ GIT_LFS_SKIP_SMUDGE: '1' }, ['cat data/large.bin']);

    expect(trace).toContain('version https://git-lfs.github.com/spec/v1');
    expect(trace).not.toContain('large file of the project');
  });
});
