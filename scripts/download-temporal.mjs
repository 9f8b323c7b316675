// The last resort of setup.sh: let the SDK download the Temporal CLI, and keep it where the others look.
import { copyFile, chmod, readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [target] = process.argv.slice(2);
const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir: tmpdir() } },
});
await environment.teardown();
const names = (await readdir(tmpdir())).filter((name) => name.startsWith('temporal-'));
const files = await Promise.all(
  names.map(async (name) => ({ path: join(tmpdir(), name), size: (await stat(join(tmpdir(), name))).size })),
);
const largest = files.sort((a, b) => b.size - a.size)[0];
if (largest === undefined) throw new Error('The SDK has downloaded nothing that looks like the Temporal CLI');
await copyFile(largest.path, target);
await chmod(target, 0o755);
