import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { VERSION } from '../../src/version.js';
import type { Stack } from './stack.js';

/** A build of the worker as another release would be: its number is another, and so is its workflow code (by a comment). */
export function buildOtherVersion(directory: string, release: string): string {
  const root = join(directory, `release-${release}`);
  cpSync(resolve('dist'), join(root, 'dist'), { recursive: true });
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, 'package.json'), JSON.stringify({ type: 'module' }));
  const file = join(root, 'dist', 'version.js');
  writeFileSync(file, readFileSync(file, 'utf8').replace(VERSION, release));
  // Before the code: at its end is a source map, which is read to the end of the file.
  const bundle = join(root, 'dist', 'workflow-bundle.js');
  writeFileSync(bundle, `/* release ${release} */ ${readFileSync(bundle, 'utf8')}`);
  return join(root, 'dist', 'worker.js');
}

/** The version of the worker to which a job is pinned: `holdfast:<release>-<hash>`. */
export async function versionOf({ client }: Pick<Stack, 'client'>, workflowId: string): Promise<string> {
  const described = await client.temporal.workflow.getHandle(workflowId).describe();
  return String(described.searchAttributes['TemporalWorkerDeploymentVersion']?.[0]);
}
