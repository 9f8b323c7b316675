import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A file system for a store, ours to break. */
export interface OwnFileSystem {
  readonly directory: string;
  /** Leaves no byte free. @throws Error when it is written to all the time */
  fill(): Promise<void>;
  /** @throws Error when it is written to all the time */
  makeReadOnly(): Promise<void>;
  mend(): void;
  close(): void;
}

/** Only root may mount one. */
export function mayMount(): boolean {
  return process.getuid?.() === 0;
}

const BALLAST = 'ballast';
const TRIES = 200;

/** @param megabytes of memory, when it is full */
export function mountFileSystem(megabytes: number): OwnFileSystem {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-file-system-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(megabytes)}m,mode=0700`, 'tmpfs', directory]);
  let readOnly = false;

  function remount(how: 'ro' | 'rw'): void {
    execFileSync('mount', ['-o', `remount,${how}`, directory], { stdio: 'pipe' });
    readOnly = how === 'ro';
  }

  return {
    directory,
    fill: () =>
      unlessWrittenTo(() => {
        const { bavail, bsize } = statfsSync(directory);
        execFileSync('fallocate', ['-l', String(bavail * bsize), join(directory, BALLAST)], { stdio: 'pipe' });
      }),
    makeReadOnly: () => unlessWrittenTo(() => remount('ro')),
    mend() {
      if (readOnly) remount('rw');
      rmSync(join(directory, BALLAST), { force: true });
    },
    close() {
      execFileSync('umount', ['-l', directory]);
      rmSync(directory, { recursive: true });
    },
  };
}

/** Again and again while it fails because a file is written, or open for it, just then. */
async function unlessWrittenTo(work: () => void): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return work();
    } catch (error) {
      if (tries === TRIES) throw error;
      await delay(20);
    }
  }
}
