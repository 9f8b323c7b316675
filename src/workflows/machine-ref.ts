import type { MachineRef } from '../contracts/activities.js';

/** What an activity needs to know of a machine, and no more: it goes into history with each of them. */
export function refOf({ workflowId, attempt, engine, machine }: MachineRef): MachineRef {
  return { workflowId, attempt, engine, machine };
}
