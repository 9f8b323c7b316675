import type Docker from 'dockerode';
import type { EngineSettings, MachineSample } from '../engine.js';
import { isNotFound } from './errors.js';
import { listContainers, type OurContainer } from './inventory.js';

/** Requests at once to the engine; more would only queue there. */
const CONCURRENCY = 8;

interface Stats {
  cpu_stats?: { cpu_usage?: { total_usage?: number }; throttling_data?: { throttled_time?: number } };
  memory_stats?: { usage?: number; limit?: number; stats?: Record<string, number> };
  networks?: Record<string, { rx_bytes?: number; tx_bytes?: number }>;
  blkio_stats?: { io_service_bytes_recursive?: { op: string; value: number }[] | null };
}

/**
 * The counters of each machine, summed over its containers: they begin anew whenever a container is started again, so whoever
 * publishes them must make them monotonic.
 */
export async function sampleMachines(docker: Docker, settings: EngineSettings): Promise<MachineSample[]> {
  const containers = await listContainers(docker, settings.name);
  const owner = new Map<string, OurContainer>();
  for (const container of containers) {
    if (container.machine !== '') owner.set(container.id, container);
    if (container.sandbox !== undefined && container.machine !== '') owner.set(container.sandbox, container);
  }
  const running = containers.filter((container) => container.state === 'running' && owner.has(container.id));
  const samples = new Map<string, MachineSample>();
  const queue = [...running];
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const stats = await readStats(docker, next.id);
        const machine = owner.get(next.id);
        if (stats !== undefined && machine !== undefined) add(samples, machine, stats);
      }
    }),
  );
  return [...samples.values()];
}

async function readStats(docker: Docker, id: string): Promise<Stats | undefined> {
  try {
    // `one-shot` (API 1.41) answers at once instead of taking a second reading for a CPU percentage that we do not need.
    return await docker.getContainer(id).stats({ stream: false, 'one-shot': true } as { stream: false });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function add(samples: Map<string, MachineSample>, container: OurContainer, stats: Stats): void {
  const sample = samples.get(container.machine) ?? empty(container);
  samples.set(container.machine, sample);
  sample.cpuSeconds += (stats.cpu_stats?.cpu_usage?.total_usage ?? 0) / 1e9;
  sample.throttledSeconds =
    (sample.throttledSeconds ?? 0) + (stats.cpu_stats?.throttling_data?.throttled_time ?? 0) / 1e9;
  const memory = stats.memory_stats;
  // What the kernel can drop at any moment is not the job's: `inactive_file` (cgroup v2) or `total_inactive_file` (v1).
  const droppable = memory?.stats?.['total_inactive_file'] ?? memory?.stats?.['inactive_file'] ?? 0;
  sample.memoryBytes += Math.max(0, (memory?.usage ?? 0) - droppable);
  if (memory?.limit !== undefined) sample.memoryLimitBytes = Math.max(sample.memoryLimitBytes ?? 0, memory.limit);
  for (const network of Object.values(stats.networks ?? {})) {
    sample.networkReceiveBytes += network.rx_bytes ?? 0;
    sample.networkTransmitBytes += network.tx_bytes ?? 0;
  }
  for (const io of stats.blkio_stats?.io_service_bytes_recursive ?? []) {
    if (io.op.toLowerCase() === 'read') sample.diskReadBytes += io.value;
    if (io.op.toLowerCase() === 'write') sample.diskWrittenBytes += io.value;
  }
}

function empty(container: OurContainer): MachineSample {
  return {
    machine: container.machine,
    job: container.job,
    atMs: Date.now(),
    cpuSeconds: 0,
    memoryBytes: 0,
    networkReceiveBytes: 0,
    networkTransmitBytes: 0,
    diskReadBytes: 0,
    diskWrittenBytes: 0,
  };
}
