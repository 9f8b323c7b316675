import { execFileSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../../support/faults/scenario.js';

/** Leaves no byte free. @returns the file to remove */
function fill(directory: string): string {
  const file = join(directory, 'ballast');
  const { bavail, bsize } = statfsSync(directory);
  writeFileSync(file, Buffer.alloc(bavail * bsize));
  return file;
}

/** @param store a file system of its own, small and ours to break */
export function storeScenarios(store: () => string): Scenario[] {
  return [
    {
      name: 'store read-only for six seconds while the script runs',
      job: { lines: 'lasting' },
      async run(scene) {
        await scene.line(10);
        execFileSync('mount', ['-o', 'remount,ro', store()]);
        await delay(6_000);
        execFileSync('mount', ['-o', 'remount,rw', store()]);
        scene.repaired();
      },
    },

    {
      name: 'store full for six seconds while the script runs',
      job: { lines: 'lasting' },
      async run(scene) {
        await scene.line(10);
        const ballast = fill(store());
        await delay(6_000);
        rmSync(ballast);
        scene.repaired();
      },
    },

    {
      name: 'store full when artifacts and the report are to be written',
      job: { lines: 20, more: { artifacts: { paths: ['big'] }, before_script: ['head -c 3000000 /dev/urandom >big'] } },
      async run(scene) {
        await scene.line(10);
        const ballast = fill(store());
        await delay(8_000);
        rmSync(ballast);
        scene.repaired();
        await scene.handle.result();
        const { artifacts } = await scene.status();
        if (artifacts.length !== 1) throw new Error(`${String(artifacts.length)} artifacts were kept, not 1`);
      },
    },

    {
      name: 'store full when the job starts',
      job: { lines: 20 },
      prepare: () => void fill(store()),
      async run(scene) {
        await delay(6_000);
        rmSync(join(store(), 'ballast'));
        scene.repaired();
      },
    },
  ];
}
