import { ApplicationFailure } from '@temporalio/common';
import type { Coordinator } from '../contracts/ci-job.js';
import type { JobPlan } from '../job/plan.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';

/** Seals what is at rest; the same keys as Temporal's payloads. */
export interface Seal {
  seal(plain: Buffer): Buffer;
  /** @throws when the key is unknown or the bytes were changed */
  open(sealed: Buffer): Buffer;
}

/** The compiled plan of one attempt, with the coordinator's token: too large and too secret for every activity's input. */
export interface StoredPlan {
  plan: JobPlan;
  /** What the machine's part of the trace begins with. Absent: an earlier release has kept the plan. */
  header?: string;
  coordinator?: Coordinator;
  /** Of the workflow. Absent: an earlier release has kept the plan. */
  firstRunId?: string;
}

export interface PlanVault {
  save(workflowId: string, attempt: number, plan: StoredPlan): Promise<void>;
  /** @throws ApplicationFailure `PLAN_MISSING`, not retryable */
  load(workflowId: string, attempt: number): Promise<StoredPlan>;
  find(workflowId: string, attempt: number): Promise<StoredPlan | undefined>;
}

export function createPlanVault(store: Store, seal: Seal): PlanVault {
  async function find(workflowId: string, attempt: number): Promise<StoredPlan | undefined> {
    const sealed = await store.read(jobKeys.plan(workflowId, attempt));
    // Sealed by us a moment ago: authenticated bytes, so the shape is known.
    return sealed === undefined ? undefined : (JSON.parse(seal.open(sealed).toString('utf8')) as StoredPlan);
  }

  return {
    find,
    async save(workflowId, attempt, plan) {
      await store.write(jobKeys.plan(workflowId, attempt), seal.seal(Buffer.from(JSON.stringify(plan))));
    },
    async load(workflowId, attempt) {
      const plan = await find(workflowId, attempt);
      if (plan !== undefined) return plan;
      throw ApplicationFailure.create({
        type: 'PLAN_MISSING',
        nonRetryable: true,
        message:
          'The plan of the job is not in the store: was the store emptied, or is it another one than the worker before had?',
      });
    },
  };
}
