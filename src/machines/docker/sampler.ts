import type Docker from 'dockerode';
import type { OwnedEngineSettings, MachineSample } from '../engine.js';
import { readCgroupFiles, type CgroupRoots } from './cgroup-files.js';
import { isNotFound } from './errors.js';
import { listContainers, type OurContainer } from './inventory.js';
import type { Reading } from './reading.js';
import { readStatsApi } from './stats-api.js';

/** Requests at once to the engine; more would only queue there. */
const CONCURRENCY = 8;

export interface Sampler {
  /** The counters of each machine: sums over its containers, and each container's own. */
  sample(): Promise<MachineSample[]>;
}

export interface SamplerOptions {
  docker: Docker;
  settings: OwnedEngineSettings;
  /** Where the kernel's files are; `undefined`: they are not looked at. */
  files?: CgroupRoots | undefined;
}

/**
 * Reads the kernel's files where the engine is on this host and shows them, else the engine's API. Remembers the process id of
 * each container, which only the engine can tell.
 */
export function createSampler({ docker, settings, files }: SamplerOptions): Sampler {
  const pids = new Map<string, number>();
  /** The highest figures of a container's process: those of a process that ends in between are for a moment nobody's. */
  const highest = new Map<string, { pid: number; diskReadBytes: number; diskWrittenBytes: number }>();
  /** Containers whose files are not to be seen from here. */
  const hidden = new Set<string>();

  function readFiles({ id, ownsNetwork }: OurContainer, pid: number): Reading | undefined {
    const reading = files === undefined ? undefined : readCgroupFiles({ id, pid, ownsNetwork }, files);
    if (reading === undefined) return undefined;
    const before = highest.get(id);
    const same = before?.pid === pid ? before : { diskReadBytes: 0, diskWrittenBytes: 0 };
    const disk = {
      diskReadBytes: Math.max(same.diskReadBytes, reading.diskReadBytes),
      diskWrittenBytes: Math.max(same.diskWrittenBytes, reading.diskWrittenBytes),
    };
    highest.set(id, { pid, ...disk });
    return { ...reading, ...disk };
  }

  async function readContainer(container: OurContainer): Promise<Reading | undefined> {
    const { id } = container;
    if (files === undefined || hidden.has(id)) return await readStatsApi(docker, container);
    const known = pids.get(id);
    const reading = known === undefined ? undefined : readFiles(container, known);
    if (reading !== undefined) return reading;
    // New, or started again: each step starts the build container anew.
    const pid = await pidOf(docker, id);
    if (pid === undefined) return undefined;
    pids.set(id, pid);
    const fresh = readFiles(container, pid);
    if (fresh === undefined) hidden.add(id);
    return fresh ?? (await readStatsApi(docker, container));
  }

  async function sample(): Promise<MachineSample[]> {
    const containers = await listContainers(docker, settings);
    const owners = ownersOf(containers);
    const queue = containers.filter(({ id, state }) => state === 'running' && owners.has(id));
    for (const memory of [pids, hidden, highest])
      for (const id of memory.keys()) if (!owners.has(id)) memory.delete(id);
    const samples = new Map<string, MachineSample>();
    await Promise.all(
      Array.from({ length: CONCURRENCY }, async () => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          const reading = await readContainer(next);
          const owner = owners.get(next.id);
          if (reading !== undefined && owner !== undefined) add(samples, owner, next, reading);
        }
      }),
    );
    return [...samples.values()];
  }

  return { sample };
}

/** By container id, one that says whose machine it is: a claimed sandbox is its job's, but its labels are older. */
function ownersOf(containers: readonly OurContainer[]): Map<string, OurContainer> {
  const owners = new Map<string, OurContainer>();
  for (const container of containers) {
    if (container.machine === '') continue;
    owners.set(container.id, container);
    if (container.sandbox !== undefined) owners.set(container.sandbox, container);
  }
  return owners;
}

async function pidOf(docker: Docker, id: string): Promise<number | undefined> {
  try {
    const { State } = await docker.getContainer(id).inspect();
    return State.Running ? State.Pid : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function add(
  samples: Map<string, MachineSample>,
  { machine, job }: OurContainer,
  { id, role }: OurContainer,
  { memoryBytes, memoryLimitBytes, ...counters }: Reading,
): void {
  const before = samples.get(machine);
  const parts = [...(before?.parts ?? []), { id, ...counters }];
  const total = (field: keyof typeof counters) => parts.reduce((sum, part) => sum + (part[field] ?? 0), 0);
  // The build container's limit is the machine's: sandbox and services have others.
  const limit = (role === 'build' ? memoryLimitBytes : before?.memoryLimitBytes) ?? memoryLimitBytes;
  samples.set(machine, {
    machine,
    job,
    atMs: before?.atMs ?? Date.now(),
    memoryBytes: (before?.memoryBytes ?? 0) + memoryBytes,
    ...(limit === undefined ? {} : { memoryLimitBytes: limit }),
    cpuSeconds: total('cpuSeconds'),
    throttledSeconds: total('throttledSeconds'),
    networkReceiveBytes: total('networkReceiveBytes'),
    networkTransmitBytes: total('networkTransmitBytes'),
    diskReadBytes: total('diskReadBytes'),
    diskWrittenBytes: total('diskWrittenBytes'),
    parts,
  });
}
