import type { Process } from '../../support/processes.js';
import type { Scenario, Scene } from '../../support/faults/scenario.js';
import type { Ground } from '../../support/faults/ground.js';
import { buildOtherVersion, versionOf } from '../../support/other-version.js';
import { TEST_IMAGE } from '../../support/docker.js';
import { type Stack } from '../../support/stack.js';
import { isHalfMade, SLOWLY_PROVISIONED } from './half-made.js';

const RELEASE = '9.0.0';
const NEXT_RELEASE = '9.1.0';

async function mustBeOf(scene: Scene, workflowId: string, release: string): Promise<void> {
  const version = await versionOf(scene.stack, workflowId);
  if (!version.startsWith(`holdfast:${release}`)) throw new Error(`${workflowId} is of ${version}, not of ${release}`);
}

/** A second worker of the stack's engine. The own one is the one that was started last. */
export async function startedBeside(stack: Stack): Promise<Process> {
  const own = stack.worker();
  const beside = await stack.startWorker({ beside: true });
  await own.stop('SIGTERM');
  await stack.startWorker();
  return beside;
}

/** Two workers on one engine; what is restarted last is the ground's own again. */
function rollingRestart(): Scenario {
  let beside: Process | undefined;
  return {
    name: 'rolling restart of two workers with 4 jobs running (SIGTERM, start, SIGTERM, start)',
    jobs: 4,
    job: { lines: 'lasting' },
    async prepare({ stack }: Ground) {
      beside = await startedBeside(stack);
    },
    async run(scene) {
      await scene.line(10);
      const own = scene.stack.worker();
      await beside?.stop('SIGTERM');
      beside = await scene.stack.startWorker({ beside: true });
      await own.stop('SIGTERM');
      await scene.stack.startWorker();
      scene.repaired();
    },
    async after() {
      await beside?.stop('SIGTERM');
    },
  };
}

/** From here on the later release is the ground's own. */
const upgraded: Scenario = {
  name: 'worker upgraded with 3 jobs running: the next release starts, the old one gets SIGTERM; new jobs go to the new one',
  jobs: 3,
  job: { lines: 'lasting' },
  async run(scene) {
    const { stack, handles } = scene;
    await scene.line(10);
    for (const { workflowId } of handles) await mustBeOf(scene, workflowId, '0.');
    const old = stack.worker();
    await stack.startWorker({ beside: true, program: buildOtherVersion(stack.directory, RELEASE) });
    await old.stop('SIGTERM');
    scene.repaired();
    const next = await stack.client.startJob({ image: TEST_IMAGE, script: ['echo next'] });
    const { state } = await next.result();
    if (state !== 'success') throw new Error(`The job after the upgrade is ${state}`);
    await mustBeOf(scene, next.workflowId, RELEASE);
  },
  async after(scene) {
    for (const { workflowId } of scene.handles) await mustBeOf(scene, workflowId, RELEASE);
  },
};

/** After `upgraded`. */
const upgradedWhileProvisioning: Scenario = {
  name: 'worker upgraded while a machine is provisioned: SIGTERM, and the next release is there',
  job: SLOWLY_PROVISIONED,
  async run(scene) {
    const { stack, handle } = scene;
    await isHalfMade(scene);
    await mustBeOf(scene, handle.workflowId, RELEASE);
    await stack.worker().stop('SIGTERM');
    await stack.startWorker({ program: buildOtherVersion(stack.directory, NEXT_RELEASE) });
    scene.repaired();
  },
  after: (scene) => mustBeOf(scene, scene.handle.workflowId, NEXT_RELEASE),
};

export const upgradeScenarios = (): Scenario[] => [rollingRestart(), upgraded, upgradedWhileProvisioning];
