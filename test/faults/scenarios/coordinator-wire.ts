import { setTimeout as delay } from 'node:timers/promises';
import { isOver, type CoordinatorJob } from '../../support/coordinator/job.js';
import type { Scenario } from '../../support/faults/scenario.js';
import { until } from '../../support/processes.js';
import { MAKES_ARTIFACT } from './coordinator.js';

/** In which an answer is not waited for: the worker is dead by then. */
const HELD_MS = 20_000;

/** The worker dies after the coordinator has taken something and before it can know: the next one says the same once more. */
function killedOnTheWire(
  what: string,
  endpoint: 'upload' | 'update',
  arrived: (job: CoordinatorJob) => boolean,
): Scenario {
  return {
    name: `worker killed while the coordinator's answer to ${what} is on the wire`,
    job: { lines: 10, ...MAKES_ARTIFACT },
    gitlab: { updateInterval: 1 },
    async run(scene) {
      await scene.line(1);
      const { id } = scene.remote();
      const action = { kind: 'holdAnswer', ms: HELD_MS } as const;
      const when = ({ final }: { final: boolean }) => endpoint === 'upload' || final;
      scene.gitlab().coordinator.faults.add({ endpoint, action, when, job: id });
      await until(`${what} at the coordinator`, () => arrived(scene.remote()), 60_000);
      await scene.stack.worker().stop('SIGKILL');
      await scene.stack.startWorker();
      scene.repaired();
      await scene.handle.result();
      const { artifacts, reports } = scene.remote();
      if (artifacts.length !== 1) throw new Error(`The coordinator has ${String(artifacts.length)} artifacts, not 1`);
      if (reports.length !== 1) throw new Error(`The coordinator has taken ${String(reports.length)} final reports`);
    },
  };
}

export const wireScenarios: Scenario[] = [
  killedOnTheWire('artifacts', 'upload', ({ artifacts }) => artifacts.length > 0),
  killedOnTheWire('the final status', 'update', ({ final }) => final !== undefined),
  finalStatusRefused(20_000),
];

/**
 * The build is over, its machine goes, and only the end is still to be told, by whoever is there.
 * @param ms how long the coordinator refuses it
 */
export function finalStatusRefused(ms: number): Scenario {
  return {
    name: `coordinator answers 500 to the final status for ${String(ms / 1000)} s, and the worker is killed meanwhile: told once, the machine does not wait`,
    job: { lines: 10, ...MAKES_ARTIFACT },
    gitlab: { updateInterval: 1 },
    async run(scene) {
      const { stack, handle } = scene;
      const { coordinator } = scene.gitlab();
      const { id } = scene.remote();
      const action = { kind: 'status', status: 500 } as const;
      coordinator.faults.add({ endpoint: 'update', action, times: Infinity, when: ({ final }) => final, job: id });
      const refusedUntil = Date.now() + ms;
      await scene.line(1);
      await until('the end of the machine', () => stack.leftovers(handle.workflowId).length === 0, ms);
      await stack.worker().stop('SIGKILL');
      await stack.startWorker();
      await delay(refusedUntil - Date.now());
      if (isOver(scene.remote().status))
        throw new Error(`The coordinator has not refused it: ${scene.remote().status}`);
      coordinator.faults.clear();
      await coordinator.untilOver(id, 90_000);
      // In which a second one would come.
      await delay(2_000);
      const { reports, lateReports } = scene.remote();
      const told = reports.length + lateReports;
      if (told !== 1) throw new Error(`The coordinator was told the end ${String(told)} times`);
    },
  };
}
