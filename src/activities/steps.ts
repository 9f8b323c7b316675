import { Context } from '@temporalio/activity';
import type { Activities, StepResult } from '../contracts/activities.js';
import type { StepExit } from '../machines/engine.js';
import { beating } from './beat.js';
import type { EngineDeps } from './deps.js';
import { createReach } from './reach.js';

/** @returns activities `runStep`, `stopStep`, `releaseMachine`: what touches a machine's containers */
export function createStepActivities(deps: EngineDeps): Pick<Activities, 'runStep' | 'stopStep' | 'releaseMachine'> {
  const { engine, lifecycle } = deps;
  return {
    runStep: (input) => {
      const reach = createReach(input.patienceMs);
      const step = { name: input.step, environment: input.environment };
      return beating(
        lifecycle,
        async (signal) => {
          const exit = await engine.runStep(input.machine, step, { signal }).catch((error: unknown) => {
            throw reach.failureOf(error);
          });
          return toStepResult(exit, Context.current().info.attempt);
        },
        () => reach.details(),
      );
    },

    stopStep: (input) =>
      beating(lifecycle, (signal) => engine.stopStep(input.machine, input.step, input.graceMs, { signal })),

    releaseMachine: (input) =>
      beating(lifecycle, async (signal) => {
        await engine.release(input.machine, { signal });
        deps.machineReleased(input.machine);
      }),
  };
}

function toStepResult(exit: StepExit, attempts: number): StepResult {
  switch (exit.kind) {
    case 'exited':
      return {
        kind: 'exited',
        exitCode: exit.exitCode,
        oomKilled: exit.oomKilled,
        startedAtMs: Date.parse(exit.startedAt),
        finishedAtMs: Date.parse(exit.finishedAt),
        attempts,
      };
    case 'stopped':
      return {
        kind: 'stopped',
        startedAtMs: exit.startedAt === undefined ? null : Date.parse(exit.startedAt),
        finishedAtMs: exit.finishedAt === undefined ? null : Date.parse(exit.finishedAt),
        attempts,
      };
    case 'lost':
      return { kind: 'lost', reason: exit.reason, attempts };
  }
}
