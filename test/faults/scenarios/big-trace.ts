import type { Scenario, Scene } from '../../support/faults/scenario.js';
import { until } from '../../support/processes.js';

const MIB = 1024 * 1024;
/** Together some 50 MB; each is the only one of its kind, so that a doubled one shows. */
const BIG_LINES = 650_000;
const PADDING = 'x'.repeat(60);

const PRINT = `awk 'BEGIN { for (i = 1; i <= ${String(BIG_LINES)}; i++) print i " big ${PADDING}" }'`;

/** What the script has printed, exactly. */
function printed(): Buffer {
  return Buffer.from(Array.from({ length: BIG_LINES }, (_, index) => `${String(index + 1)} big ${PADDING}\n`).join(''));
}

async function killedAfter(scene: Scene, mebibytes: number): Promise<void> {
  const there = () => scene.remote().trace.length > mebibytes * MIB;
  await until(`${String(mebibytes)} MiB at the coordinator`, there, 120_000);
  await scene.stack.worker().stop('SIGKILL');
  await scene.stack.startWorker();
}

/** On a ground with an output limit of 100 MiB. */
export const bigTrace: Scenario = {
  name: 'worker killed three times while 50 MB of output go to the coordinator: every byte is there, once and in its place',
  job: { lines: 10, before: [PRINT] },
  gitlab: { updateInterval: 1 },
  async run(scene) {
    for (const mebibytes of [2, 12, 25]) await killedAfter(scene, mebibytes);
    scene.repaired();
    await scene.gitlab().coordinator.untilOver(scene.remote().id, 180_000);
    if (!scene.remote().trace.includes(printed())) throw new Error('What the coordinator has is not what was printed');
  },
};
