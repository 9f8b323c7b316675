import { setTimeout as delay } from 'node:timers/promises';
import type { OwnEngine } from '../../support/faults/own-engine.js';
import type { Scenario, Scene } from '../../support/faults/scenario.js';
import { until } from '../../support/processes.js';

async function traceSays(scene: Scene, text: string): Promise<void> {
  await scene.handle.result();
  if (!(await scene.trace()).includes(text)) throw new Error(`The trace does not say "${text}"`);
}

async function restart(engine: OwnEngine, awayMs: number): Promise<void> {
  await engine.kill();
  await delay(awayMs);
  await engine.start();
}

/** Containers die with the engine. */
export function restartScenarios(engine: () => OwnEngine): Scenario[] {
  return [
    {
      name: 'Docker engine killed and restarted, without live-restore: the machine was lost, and the trace says so',
      // Longer than an engine takes to start: its containers run on until then.
      job: { lines: 900 },
      expect: { state: 'failed', failureReason: 'runner_system_failure', linesMayBeLost: true },
      async run(scene) {
        await scene.line(10);
        await restart(engine(), 1_000);
        scene.repaired();
        await traceSays(scene, 'the machine was lost');
      },
    },
    {
      name: 'Docker engine killed and restarted under an interruptible job: it runs again',
      job: { lines: 'lasting', more: { interruptible: true } },
      expect: { runs: 2 },
      async run(scene) {
        await scene.line(10);
        await restart(engine(), 1_000);
        scene.repaired();
        await until(
          'the second run',
          async () => (await scene.trace()).includes('Running the job again on another machine (attempt 2)'),
          90_000,
        );
      },
    },
    {
      name: 'disk of the engine full when a machine is to be made: the job waits for room',
      async prepare() {
        const free = engine().fillDisk();
        setTimeout(free, 8_000);
        await delay(100);
      },
      async run(scene) {
        await delay(8_000);
        scene.repaired();
        await scene.line(1);
      },
    },
    {
      name: 'disk of the engine full while the script writes: its own failure, reported as such',
      job: {
        before: ['dd if=/dev/zero of=/builds/big bs=1M count=400'],
        // No container starts on a full disk, so after_script waits for room as long as it may.
        more: { variables: { RUNNER_AFTER_SCRIPT_TIMEOUT: '15s' } },
      },
      expect: { state: 'failed', failureReason: 'script_failure', linesMayBeLost: true },
      run: (scene) => traceSays(scene, 'No space left on device'),
    },
  ];
}

/** Containers go on without it. */
export function liveRestoreScenarios(engine: () => OwnEngine): Scenario[] {
  return [
    {
      name: 'Docker engine killed and restarted, with live-restore: the script notices nothing',
      job: { lines: 'lasting' },
      async run(scene) {
        await scene.line(10);
        await restart(engine(), 3_000);
        scene.repaired();
      },
    },
    {
      name: 'Docker engine with live-restore away while the script ends, and the worker killed meanwhile',
      job: { lines: 50 },
      // Docker itself loses what a container prints while the engine is away, if it ends before the engine is back.
      expect: { linesMayBeLost: true },
      async run(scene) {
        await scene.line(10);
        await engine().kill();
        await delay(2_000);
        await scene.stack.worker().stop('SIGKILL');
        await delay(4_000);
        await engine().start();
        await scene.stack.startWorker();
        scene.repaired();
      },
    },
  ];
}
