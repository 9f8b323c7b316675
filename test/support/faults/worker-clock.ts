import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LIBRARIES = '/usr/lib';

/** The wall clock of one process, which a test may set; its monotonic clock stays true, as when a machine's time is corrected. */
export interface WorkerClock {
  /** A command line that runs this one with the clock. */
  through(command: readonly string[]): string[];
  /** From now on the clock is off by so many seconds. */
  set(offsetSeconds: number): void;
  remove(): void;
}

/** @throws Error where there is no libfaketime; ask `whyNoWorkerClock` first */
export function createWorkerClock(): WorkerClock {
  const library = findLibrary();
  if (library === undefined) throw new Error(MISSING);
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-clock-'));
  const file = join(directory, 'offset');
  function set(offsetSeconds: number): void {
    // Whole or not at all: the process reads it whenever it looks at the clock.
    writeFileSync(`${file}.new`, `${offsetSeconds < 0 ? '' : '+'}${String(offsetSeconds)}\n`);
    renameSync(`${file}.new`, file);
  }
  set(0);
  return {
    set,
    through: (command) => [
      'env',
      `LD_PRELOAD=${library}`,
      `FAKETIME_TIMESTAMP_FILE=${file}`,
      'FAKETIME_NO_CACHE=1',
      'FAKETIME_DONT_FAKE_MONOTONIC=1',
      'NO_FAKE_STAT=1',
      ...command,
    ],
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

const MISSING = 'libfaketime is not installed here (Debian: faketime; scripts/setup.sh with HOLDFAST_SETUP_TESTS=1)';

/** Why no clock can be set here; undefined: it can. */
export function whyNoWorkerClock(): string | undefined {
  return findLibrary() === undefined ? MISSING : undefined;
}

function findLibrary(): string | undefined {
  if (!existsSync(LIBRARIES)) return undefined;
  return readdirSync(LIBRARIES)
    .map((name) => join(LIBRARIES, name, 'faketime', 'libfaketimeMT.so.1'))
    .find((path) => existsSync(path));
}
