import { WorkflowNotFoundError } from '@temporalio/client';
import type { HoldfastClient } from '../client.js';
import { looking } from './looking.js';
import type { Engine, MachineSummary } from '../machines/engine.js';

/** A live machine and why it lives. */
export interface LiveMachine {
  machine: string;
  engine: string;
  /** Workflow id; null: no job's (yet). */
  job: string | null;
  createdAt: string;
  ageSeconds: number;
  /** One sentence. */
  why: string;
  /** `leftover`: belongs to no open job and goes with the next sweep. */
  kind: 'running' | 'held' | 'warm' | 'claimed' | 'leftover';
  containers: MachineSummary['containers'];
}

/** @throws MachineError ENGINE_UNREACHABLE, UnreachableError */
export async function listMachines(client: HoldfastClient, engines: readonly Engine[]): Promise<LiveMachine[]> {
  const machines = (await Promise.all(engines.map((engine) => engine.list({})))).flat();
  const told = await Promise.all(machines.map((machine) => explain(client, machine)));
  return told.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
}

async function explain(client: HoldfastClient, summary: MachineSummary): Promise<LiveMachine> {
  const { machine, engine, createdAt, containers } = summary;
  const facts = {
    machine,
    engine,
    createdAt,
    ageSeconds: Math.max(0, Math.round((Date.now() - Date.parse(createdAt)) / 1000)),
    containers,
  };
  if (summary.job === '') {
    const warm = machine.includes('-warm-');
    const why = warm ? 'warm sandbox, ready for the next job' : 'claimed for a job whose containers are being made';
    return { ...facts, job: null, kind: warm ? 'warm' : 'claimed', why };
  }
  return { ...facts, job: summary.job, ...(await reasonOf(client, summary.job)) };
}

async function reasonOf(client: HoldfastClient, workflowId: string): Promise<Pick<LiveMachine, 'kind' | 'why'>> {
  const open = await isOpen(client, workflowId);
  if (!open) return { kind: 'leftover', why: 'its job is over: the next sweep removes it' };
  const { state, summary, heldUntil } = await (await client.job(workflowId)).status();
  if (heldUntil !== null) return { kind: 'held', why: `held for debugging until ${heldUntil}` };
  return { kind: 'running', why: `its job is ${state}. ${summary}` };
}

async function isOpen(client: HoldfastClient, workflowId: string): Promise<boolean> {
  try {
    return (await looking(client.temporal).workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
