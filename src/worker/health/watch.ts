import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { StepInput, StepResult } from '../../contracts/activities.js';
import { roleOfStep } from '../../machines/engine.js';
import { failureOf, type EngineHealth } from './engine-health.js';

/**
 * Tells how each provisioning on the engine ended; for the workers of its pools. A poll that was open when the engine went out of
 * rotation may still be answered: such a job goes back to the queue.
 */
export function watchProvisioning(health: EngineHealth): ActivityInterceptorsFactory {
  return () => ({
    inbound: {
      async execute(input, next) {
        if (health.isOut()) throw outOfRotation();
        const begunAtMs = performance.now();
        try {
          const result: unknown = await next(input);
          health.machineMade();
          return result;
        } catch (error) {
          if (!(error instanceof CancelledFailure))
            health.machineNotMade(failureOf(error), performance.now() - begunAtMs);
          throw error;
        }
      },
    },
  });
}

function outOfRotation(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'ENGINE_OUT',
    message: 'The engine is out of rotation: the job waits for another one of its pool, or until this one is well',
    nonRetryable: false,
    // For another engine at once; this one has few polls left, and opens no more.
    nextRetryDelay: '100ms',
    category: 'BENIGN',
  });
}

/**
 * Tells how the steps on the engine ended; for the worker of its own queue. That sources were fetched says little: it takes a moment, and
 * an engine that loses every machine within minutes would pass for a good one.
 */
export function watchSteps(health: EngineHealth): ActivityInterceptorsFactory {
  return ({ info }) => ({
    inbound: {
      async execute(input, next) {
        const begunAtMs = performance.now();
        const result: unknown = await next(input);
        if (info.activityType !== 'runStep') return result;
        const [{ machine, step }] = input.args as [StepInput];
        const end = result as StepResult;
        if (end.kind === 'exited' && roleOfStep(step) === 'build') health.scriptEnded();
        if (end.kind === 'lost') {
          // Differences of one clock each: the server's and ours.
          const waitedMs = info.currentAttemptScheduledTimestampMs - info.scheduledTimestampMs;
          health.machineLost(machine, end.reason, waitedMs + performance.now() - begunAtMs);
        }
        return result;
      },
    },
  });
}
