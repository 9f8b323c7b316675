// `npm run bench`: the measurements are TypeScript (bench/), and use what the tests use.
import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = spawnSync(process.execPath, ['--import', 'tsx', 'bench/main.ts', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${join(root, '.holdfast/bin')}${delimiter}${process.env.PATH}` },
});
process.exitCode = run.status ?? 1;
