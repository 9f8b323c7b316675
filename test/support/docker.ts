import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const TEST_IMAGE = 'holdfast/test-busybox:1';

/** Whatever a failed test has left: only of this engine's name. */
export function removeAll(engine: string, ask: typeof docker = docker): void {
  const filter = ['--filter', `label=holdfast.engine=${engine}`];
  const kinds = [
    { list: ['ps', '-aq'], remove: ['rm', '-fv'] },
    { list: ['network', 'ls', '-q'], remove: ['network', 'rm'] },
    { list: ['volume', 'ls', '-q'], remove: ['volume', 'rm', '-f'] },
  ];
  for (const { list, remove } of kinds) {
    for (const until = Date.now() + REMOVAL_PATIENCE_MS; ;) {
      const found = ask(...list, ...filter);
      if (found.length === 0) break;
      try {
        ask(...remove, ...found);
      } catch (error) {
        // What a worker that has just ended had asked for is under way: "removal … is already in progress".
        if (Date.now() > until) throw error;
        execFileSync('sleep', ['0.3']);
      }
    }
  }
}

const REMOVAL_PATIENCE_MS = 30_000;

export function docker(...args: string[]): string[] {
  return execFileSync('docker', args, { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '');
}

const APPLETS = [
  'sh',
  'cat',
  'ls',
  'sleep',
  'date',
  'mkdir',
  'rm',
  'head',
  'tail',
  'dd',
  'seq',
  'grep',
  'wc',
  'httpd',
  'wget',
  'touch',
  'cp',
  'ln',
  'kill',
  'id',
  'env',
  'awk',
  'nc',
  'od',
  'sort',
  'chmod',
  'ps',
  'test',
  'true',
  'false',
  'yes',
  'sync',
];

/** A small image of one static program, made here, since no registry may be in reach. */
export function ensureTestImage(): void {
  if (docker('images', '-q', TEST_IMAGE).length > 0) return;
  const root = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
  mkdirSync(join(root, 'bin'));
  mkdirSync(join(root, 'tmp'), { mode: 0o777 });
  execFileSync('cp', ['/bin/busybox', join(root, 'bin/busybox')]);
  for (const applet of APPLETS) execFileSync('ln', ['-s', 'busybox', join(root, 'bin', applet)]);
  execFileSync('sh', ['-c', `tar -C ${root} -c . | docker import --change 'EXPOSE 8000' - ${TEST_IMAGE}`]);
  rmSync(root, { recursive: true });
}
