import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * A repository `<name>.git` with one commit of these files on `main`.
 * @param shared where containers see it as `/shared`
 * @returns `git_info` of a payload
 */
export function repositoryBelow(shared: string, name: string, files: Record<string, string>): Record<string, unknown> {
  const work = mkdtempSync(join(tmpdir(), 'holdfast-repository-'));
  const git = (...args: string[]) => execFileSync('git', ['-C', work, ...args], { encoding: 'utf8' }).trim();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(work, path)), { recursive: true });
    writeFileSync(join(work, path), content);
  }
  git('init', '--quiet', '--initial-branch=main');
  git('add', '--all');
  git('-c', 'user.name=Test', '-c', 'user.email=test@example.com', 'commit', '--quiet', '--message=First');
  execFileSync('git', ['clone', '--quiet', '--bare', work, join(shared, `${name}.git`)]);
  const sha = git('rev-parse', 'HEAD');
  rmSync(work, { recursive: true });
  return {
    repo_url: `file:///shared/${name}.git`,
    repo_object_format: 'sha1',
    ref: 'main',
    sha,
    before_sha: '0'.repeat(40),
    ref_type: 'branch',
    refspecs: ['+refs/heads/main:refs/remotes/origin/main'],
    depth: 20,
  };
}
