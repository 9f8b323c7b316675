import { setTimeout as delay } from 'node:timers/promises';
import type { OwnFileSystem } from '../../support/faults/own-file-system.js';
import type { Scenario } from '../../support/faults/scenario.js';

/** @param store a small one */
export function storeScenarios(store: () => OwnFileSystem): Scenario[] {
  return [
    {
      name: 'store read-only for six seconds while the script runs',
      job: { lines: 'lasting' },
      async run(scene) {
        await scene.line(10);
        await store().makeReadOnly();
        await delay(6_000);
        store().mend();
        scene.repaired();
      },
    },

    {
      name: 'store full for six seconds while the script runs',
      job: { lines: 'lasting' },
      async run(scene) {
        await scene.line(10);
        await store().fill();
        await delay(6_000);
        store().mend();
        scene.repaired();
      },
    },

    {
      name: 'store full when artifacts and the report are to be written',
      job: { lines: 20, more: { artifacts: { paths: ['big'] }, before_script: ['head -c 3000000 /dev/urandom >big'] } },
      async run(scene) {
        await scene.line(10);
        await store().fill();
        await delay(8_000);
        store().mend();
        scene.repaired();
        await scene.handle.result();
        const { artifacts } = await scene.status();
        if (artifacts.length !== 1) throw new Error(`${String(artifacts.length)} artifacts were kept, not 1`);
      },
    },

    {
      name: 'store full when the job starts',
      job: { lines: 20 },
      prepare: () => store().fill(),
      async run(scene) {
        await delay(6_000);
        store().mend();
        scene.repaired();
      },
    },
  ];
}
