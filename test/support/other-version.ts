import { appendFileSync, cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { VERSION } from '../../src/version.js';

/** A build of the worker as another release would be: its number is another, and so is its workflow code (by a comment). */
export function buildOtherVersion(directory: string, release: string): string {
  const root = join(directory, `release-${release}`);
  cpSync(resolve('dist'), join(root, 'dist'), { recursive: true });
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, 'package.json'), JSON.stringify({ type: 'module' }));
  const file = join(root, 'dist', 'version.js');
  writeFileSync(file, readFileSync(file, 'utf8').replace(VERSION, release));
  appendFileSync(join(root, 'dist', 'workflow-bundle.js'), `\n// release ${release}\n`);
  return join(root, 'dist', 'worker.js');
}
