import { setTimeout as delay } from 'node:timers/promises';
import { UnreachableError } from '../../../src/client/errors.js';
import type { Expectation, Scenario, Scene } from '../../support/faults/scenario.js';
import { until } from '../../support/processes.js';

/** After_script is due once, for the script had begun; what the script would still have printed is not. */
const CANCELED: Expectation = {
  state: 'canceled',
  failureReason: 'job_canceled',
  linesMayBeLost: true,
  afterRuns: 1,
};
const JOB: Scenario['job'] = { lines: 900 };

/** @param end takes it away @param start brings it back */
function canceledAtCoordinator(
  what: string,
  {
    end,
    awayMs,
    start,
  }: { end(scene: Scene): Promise<unknown>; awayMs: number; start(scene: Scene): Promise<unknown> },
): Scenario {
  return {
    name: `job canceled at the coordinator while ${what}`,
    job: JOB,
    gitlab: { updateInterval: 1 },
    expect: CANCELED,
    async run(scene) {
      await scene.line(10);
      await end(scene);
      scene.gitlab().coordinator.cancel(scene.remote().id);
      await delay(awayMs);
      await start(scene);
      scene.repaired();
    },
  };
}

async function cancelRefused(scene: Scene): Promise<void> {
  const refusal = await scene.handle.cancel().then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(refusal instanceof UnreachableError)) throw new Error(`The cancel ended with ${String(refusal)}`);
}

/** Somebody cancels while nobody is there to hear it. */
export const canceledAwayScenarios: Scenario[] = [
  {
    name: 'job canceled while no worker is there',
    job: JOB,
    expect: CANCELED,
    async run(scene) {
      await scene.line(10);
      await scene.stack.worker().stop('SIGKILL');
      await scene.handle.cancel();
      await delay(3_000);
      await scene.stack.startWorker();
      scene.repaired();
    },
  },
  canceledAtCoordinator('neither Temporal nor a worker is there', {
    end: ({ stack }) => Promise.all([stack.temporal().stop('SIGKILL'), stack.worker().stop('SIGKILL')]),
    awayMs: 3_000,
    start: async ({ stack }) => {
      await stack.startTemporal();
      await stack.startWorker();
    },
  }),
  {
    name: 'job canceled while Temporal is away: that is refused with a reason, and the job goes on until it is canceled again',
    job: JOB,
    expect: CANCELED,
    async run(scene) {
      await scene.line(10);
      await scene.stack.temporal().stop('SIGKILL');
      await cancelRefused(scene);
      await scene.stack.startTemporal();
      await until('the cancel to be taken', () =>
        scene.handle.cancel().then(
          () => true,
          () => false,
        ),
      );
      scene.repaired();
    },
  },
];

/** The same in other combinations: not in the ordinary set. */
export const moreCanceledAwayScenarios: Scenario[] = [
  canceledAtCoordinator('no worker is there', {
    end: ({ stack }) => stack.worker().stop('SIGKILL'),
    awayMs: 3_000,
    start: ({ stack }) => stack.startWorker(),
  }),
  canceledAtCoordinator('Temporal is away', {
    end: ({ stack }) => stack.temporal().stop('SIGKILL'),
    awayMs: 12_000,
    start: ({ stack }) => stack.startTemporal(),
  }),
];
