import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { askStatus } from '../client/ask-status.js';
import { looking } from '../client/looking.js';
import type { JobState } from '../contracts/names.js';
import type { OpenJobs } from '../machines/engine.js';

/** No worker may be there to answer, and a sweep has other things to do. */
const ANSWER_MS = 5_000;

/** While a job is so, it may be having a machine made. */
const BEFORE_ITS_MACHINE: readonly JobState[] = ['pending', 'preparing'];

/** Jobs as Temporal knows them. */
export function createOpenJobs(client: Client): OpenJobs {
  return {
    async isOpen(workflowId) {
      try {
        return (await looking(client).workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error; // not knowing is no reason to remove anything
      }
    },
    async isPast(workflowId, place) {
      const handle = client.workflow.getHandle(workflowId);
      try {
        const { state, machine, engine } = await client.withDeadline(Date.now() + ANSWER_MS, () => askStatus(handle));
        if (BEFORE_ITS_MACHINE.includes(state)) return false;
        return machine !== place.machine || engine !== place.engine;
      } catch {
        return false;
      }
    },
  };
}
