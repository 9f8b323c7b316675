// Which commit a build is of, for `holdfast_version_info` and CI_RUNNER_REVISION. Sources without a git directory (an image's build,
// an unpacked archive) have none: there HOLDFAST_REVISION says it, or nobody.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const cwd = fileURLToPath(new URL('..', import.meta.url));
const git = (...args) => spawnSync('git', args, { cwd, encoding: 'utf8' });
// A prefix means that the sources lie inside somebody else's repository, whose commits are not ours.
const prefix = git('rev-parse', '--show-prefix');
if (prefix.status === 0 && prefix.stdout.trim() === '') {
  const commit = git('rev-parse', '--short=8', 'HEAD').stdout.trim();
  const changed = git('status', '--porcelain', '--untracked-files=no', 'src').stdout !== '';
  if (commit !== '') writeFileSync(new URL('../dist/revision', import.meta.url), changed ? `${commit}-dirty` : commit);
}
