import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FILES = 20;

/** A repository of a few files below `/shared`, where containers see it. @returns `git_info` of a payload */
export function smallRepository(shared: string): Record<string, unknown> {
  const work = mkdtempSync(join(tmpdir(), 'holdfast-repository-'));
  const git = (...args: string[]) => execFileSync('git', ['-C', work, ...args], { encoding: 'utf8' }).trim();
  for (let file = 0; file < FILES; file++)
    writeFileSync(join(work, `file-${String(file)}.txt`), 'content\n'.repeat(50));
  git('init', '--quiet', '--initial-branch=main');
  git('add', '--all');
  git('-c', 'user.name=Bench', '-c', 'user.email=bench@example.com', 'commit', '--quiet', '--message=First');
  execFileSync('git', ['clone', '--quiet', '--bare', work, join(shared, 'bench.git')]);
  const sha = git('rev-parse', 'HEAD');
  rmSync(work, { recursive: true });
  return {
    repo_url: 'file:///shared/bench.git',
    repo_object_format: 'sha1',
    ref: 'main',
    sha,
    before_sha: '0'.repeat(40),
    ref_type: 'branch',
    refspecs: ['+refs/heads/main:refs/remotes/origin/main'],
    depth: 20,
  };
}
