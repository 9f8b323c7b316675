import type Docker from 'dockerode';
import { LABEL_JOB, LABEL_MACHINE, LABEL_ROLE } from '../../contracts/names.js';
import type { MachineSummary, OwnedEngineSettings } from '../engine.js';
import { LABEL_SANDBOX, LABEL_SHAPE, LABEL_VOLUME, ownerFilter, slotOfName } from './names.js';

/** One container of ours, as a listing shows it: the engine's memory of machines and leases. */
export interface OurContainer {
  id: string;
  name: string;
  role: string;
  job: string;
  machine: string;
  state: string;
  image: string;
  createdAtMs: number;
  sandbox: string | undefined;
  volume: string | undefined;
  shape: string | undefined;
  slot: number | undefined;
  /** False: it has joined another container's network, or the host's. */
  ownsNetwork: boolean;
}

export async function listContainers(docker: Docker, settings: OwnedEngineSettings): Promise<OurContainer[]> {
  const found = await docker.listContainers({ all: true, filters: { label: ownerFilter(settings) } });
  return found.map((info) => {
    const name = (info.Names[0] ?? '').replace(/^\//, '');
    return {
      id: info.Id,
      name,
      role: info.Labels[LABEL_ROLE] ?? '',
      job: info.Labels[LABEL_JOB] ?? '',
      machine: info.Labels[LABEL_MACHINE] ?? '',
      state: info.State,
      image: info.Image,
      createdAtMs: info.Created * 1000,
      sandbox: info.Labels[LABEL_SANDBOX],
      volume: info.Labels[LABEL_VOLUME],
      shape: info.Labels[LABEL_SHAPE],
      slot: slotOfName(settings, name),
      ownsNetwork: !/^(container:|host$)/.test(info.HostConfig.NetworkMode ?? ''),
    };
  });
}

/** Machines, and each sandbox that is no machine's (warm, or just claimed) as an entry of its own. */
export function toMachines(engine: string, containers: OurContainer[]): MachineSummary[] {
  const machines = new Map<string, MachineSummary>();
  const owner = new Map<string, string>();
  for (const container of containers) {
    if (container.sandbox !== undefined && container.machine !== '') owner.set(container.sandbox, container.machine);
  }
  for (const container of containers) {
    const machine = container.machine === '' ? (owner.get(container.id) ?? container.name) : container.machine;
    const createdAt = new Date(container.createdAtMs).toISOString();
    const entry = machines.get(machine) ?? { machine, job: '', engine, createdAt, containers: [] };
    if (container.job !== '') entry.job = container.job;
    if (createdAt < entry.createdAt) entry.createdAt = createdAt;
    entry.containers.push({
      id: container.id,
      name: container.name,
      role: container.role,
      state: container.state,
      image: container.image,
    });
    machines.set(machine, entry);
  }
  return [...machines.values()];
}
