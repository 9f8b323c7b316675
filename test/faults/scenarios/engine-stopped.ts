import { setTimeout as delay } from 'node:timers/promises';
import type { OwnEngine } from '../../support/faults/own-engine.js';
import type { Scenario, Scene } from '../../support/faults/scenario.js';
import { until } from '../../support/processes.js';
import { TEST_IMAGE } from '../../support/docker.js';

const LOST = { state: 'failed', failureReason: 'runner_system_failure', linesMayBeLost: true } as const;
/** Longer than an engine takes to stop and to start. */
const LINES = 900;

/** What keeps a container's processes from noticing a stop is that PID 1 gets the signal alone. This one passes it on to all. */
const PASSES_IT_ON = {
  image: {
    name: TEST_IMAGE,
    entrypoint: ['sh', '-c', `trap 'kill -TERM -1' TERM; "$@" & wait; wait`, 'init'],
  },
};

async function stopAndStart(engine: OwnEngine, scene: Scene): Promise<void> {
  await engine.stop();
  await engine.start();
  scene.repaired();
}

async function isToldAsLost(scene: Scene): Promise<void> {
  await scene.handle.result();
  if (!(await scene.trace()).includes('the machine was lost'))
    throw new Error('The trace does not say that it was lost');
}

/** Containers are stopped with the engine; what their processes make of that is not the script's result. */
export function stoppedScenarios(engine: () => OwnEngine): Scenario[] {
  const lost = (name: string, job: Scenario['job']): Scenario => ({
    name: `Docker engine stopped (SIGTERM) and started again ${name}: the machine was lost, and the trace says so`,
    job,
    expect: LOST,
    async run(scene) {
      await scene.line(10);
      await stopAndStart(engine(), scene);
      await isToldAsLost(scene);
    },
  });
  return [
    lost('under a script that ends with 0 by the signal', {
      lines: LINES,
      before: ["trap 'exit 0' TERM"],
      more: PASSES_IT_ON,
    }),
    lost('under a script that fails because its service has ended before it', {
      lines: LINES,
      before: [
        '(while wget -q -O /dev/null http://web:8000/here; do sleep 0.05; done; kill $$) &',
        "trap 'exit 1' TERM",
      ],
      more: {
        services: [
          {
            name: TEST_IMAGE,
            alias: 'web',
            entrypoint: ['sh', '-c'],
            command: ["trap 'exit 0' TERM; mkdir /w; echo >/w/here; httpd -p 8000 -h /w; while :; do sleep 0.05; done"],
          },
        ],
      },
    }),
    {
      name: 'Docker engine stopped (SIGTERM) and started again under an interruptible job: it runs again',
      job: { lines: 'lasting', more: { interruptible: true } },
      expect: { runs: 2 },
      async run(scene) {
        await scene.line(10);
        await stopAndStart(engine(), scene);
        await until(
          'the second run',
          async () => (await scene.trace()).includes('Running the job again on another machine (attempt 2)'),
          90_000,
        );
      },
    },
    {
      name: 'Docker engine paused for 15 s (SIGSTOP) while the script runs, and the worker killed meanwhile',
      job: { lines: 'lasting' },
      async run(scene) {
        await scene.line(10);
        engine().signal('SIGSTOP');
        await delay(5_000);
        await scene.stack.worker().stop('SIGKILL');
        const started = scene.stack.startWorker();
        await delay(10_000);
        engine().signal('SIGCONT');
        await started;
        scene.repaired();
      },
    },
  ];
}

/** All at once, and what runs in the containers, too. */
async function reboot(engine: OwnEngine, scene: Scene): Promise<void> {
  const { stack } = scene;
  const known = await scene.trace();
  await Promise.all([stack.worker().stop('SIGKILL'), stack.temporal().stop('SIGKILL'), engine.crash()]);
  await Promise.all([stack.startTemporal(), engine.start()]);
  await stack.startWorker();
  scene.repaired();
  await isToldAsLost(scene);
  if (!(await scene.trace()).startsWith(known)) throw new Error('The trace has lost what it had before');
}

export function rebootScenarios(engine: () => OwnEngine): Scenario[] {
  return [
    {
      name: 'host gone and back: worker, Temporal, engine and containers killed at once, and all started again',
      job: { lines: LINES },
      expect: LOST,
      async run(scene) {
        await scene.line(30);
        await reboot(engine(), scene);
      },
    },
    {
      name: 'host gone and back under a GitLab job: its end is told once',
      job: { lines: LINES },
      gitlab: { updateInterval: 1 },
      expect: LOST,
      async run(scene) {
        await scene.line(30);
        await until('the log at the coordinator', () => scene.remote().trace.includes('line 10 of'));
        await reboot(engine(), scene);
        const { reports } = scene.remote();
        if (reports.length !== 1) throw new Error(`The coordinator has taken ${String(reports.length)} final reports`);
      },
    },
  ];
}

/** Not in the ordinary set. */
export function moreRebootScenarios(engine: () => OwnEngine): Scenario[] {
  return [
    {
      name: 'host gone and back under an interruptible job: it runs again',
      job: { lines: 'lasting', more: { interruptible: true } },
      expect: { runs: 2 },
      async run(scene) {
        await scene.line(10);
        const { stack } = scene;
        await Promise.all([stack.worker().stop('SIGKILL'), stack.temporal().stop('SIGKILL'), engine().crash()]);
        await Promise.all([stack.startTemporal(), engine().start()]);
        await stack.startWorker();
        scene.repaired();
        await until(
          'the second run',
          async () => (await scene.trace()).includes('Running the job again on another machine (attempt 2)'),
          90_000,
        );
      },
    },
  ];
}
