import { condition, defineSignal, setHandler } from '@temporalio/workflow';
import type { Provisioned } from '../contracts/activities.js';
import { RELEASE_SIGNAL } from '../contracts/names.js';
import type { Outcome } from './outcome.js';

const releaseSignal = defineSignal(RELEASE_SIGNAL);

/** Hold for debugging: after a failure the machine stays until it is released or its time is over. */
export interface Hold {
  decide(outcome: Outcome): void;
  wait(machine: Provisioned): Promise<void>;
}

/** @param holdOnFailureMs 0: never held */
export function createHold(holdOnFailureMs: number): Hold {
  let outcome: Outcome | undefined;
  let released = false;
  setHandler(releaseSignal, () => {
    released = true;
  });
  return {
    decide(final) {
      outcome = final;
    },
    async wait() {
      if (holdOnFailureMs === 0) return;
      await condition(() => outcome !== undefined || released);
      if (outcome?.kind === 'failed') await condition(() => released, holdOnFailureMs);
    },
  };
}
