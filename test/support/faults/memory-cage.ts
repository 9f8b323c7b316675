import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { docker, ensureTestImage, TEST_IMAGE } from '../docker.js';

const LIMIT = '512m';

/** Holds a process of this machine below a limit of memory, so that the kernel kills it when the memory is used up. */
export interface MemoryCage {
  /** A command line that runs this one in the cage: same files, same network, same processes around it. */
  through(command: readonly string[]): string[];
  /** Uses the cage's memory up, by files in it that no process holds: the kernel's choice falls on the largest process. */
  fill(): void;
  /** The engine says that the kernel has killed for memory, and the process in the cage is dead. */
  killedByKernel(): boolean;
  remove(): void;
}

export function createMemoryCage(): MemoryCage {
  ensureTestImage();
  const name = `holdfast-test-cage-${randomBytes(4).toString('hex')}`;
  return {
    through: (command) => ['docker', 'run', '--name', name, ...CAGE, TEST_IMAGE, 'chroot', '/host', ...command],
    fill() {
      const args = ['exec', name, 'dd', 'if=/dev/zero', 'of=/dev/shm/ballast', 'bs=1M', 'count=2000'];
      spawn('docker', args, { stdio: 'ignore' }).unref();
    },
    killedByKernel: () => docker('inspect', '-f', '{{.State.Running}} {{.State.OOMKilled}}', name)[0] === 'false true',
    remove: () => void docker('rm', '-f', name),
  };
}

const CAGE = [
  `--memory=${LIMIT}`,
  `--memory-swap=${LIMIT}`,
  '--shm-size=2g',
  '--network=host',
  '--pid=host',
  '--volume=/:/host',
  '--entrypoint=/bin/busybox',
];

/** Why there is no cage here; undefined: there is one. */
export function whyNoMemoryCage(): string | undefined {
  ensureTestImage();
  const probe = ['chroot', '/host', process.execPath, '--version'];
  try {
    if (docker('info', '-f', '{{.MemoryLimit}}')[0] !== 'true') return 'this Docker engine cannot limit memory';
    execFileSync('docker', ['run', '--rm', ...CAGE, TEST_IMAGE, ...probe], { stdio: 'pipe' });
    docker('run', '--rm', ...CAGE, TEST_IMAGE, 'test', '-e', `/host${resolve('dist/worker.js')}`);
    return undefined;
  } catch (error) {
    const [line = ''] = String(error)
      .split('\n')
      .filter((text) => text !== '')
      .slice(-1);
    return `a process of this machine cannot be run in a container of its Docker engine (${line})`;
  }
}
