import type Docker from 'dockerode';
import { isNotFound } from './errors.js';
import type { Reading } from './reading.js';

interface Stats {
  cpu_stats?: { cpu_usage?: { total_usage?: number }; throttling_data?: { throttled_time?: number } };
  memory_stats?: { usage?: number; limit?: number; stats?: Record<string, number> };
  networks?: Record<string, { rx_bytes?: number; tx_bytes?: number }>;
  blkio_stats?: { io_service_bytes_recursive?: { op: string; value: number }[] | null };
}

/**
 * A container's reading from the engine's API: works for every engine, and costs both sides a request.
 * @param ownsNetwork false: the API shows the network that it has joined, which counts where it belongs
 * @returns undefined when it is gone
 */
export async function readStatsApi(
  docker: Docker,
  { id, ownsNetwork }: { id: string; ownsNetwork: boolean },
): Promise<Reading | undefined> {
  try {
    // `one-shot` (API 1.41) answers at once instead of taking a second reading for a CPU percentage that we do not need.
    const stats: Stats = await docker.getContainer(id).stats({ stream: false, 'one-shot': true } as { stream: false });
    return { ...toReading(stats), ...(ownsNetwork ? {} : { networkReceiveBytes: 0, networkTransmitBytes: 0 }) };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function toReading(stats: Stats): Reading {
  const { cpu_stats: cpu, memory_stats: memory } = stats;
  const networks = Object.values(stats.networks ?? {});
  const io = stats.blkio_stats?.io_service_bytes_recursive ?? [];
  const moved = (op: string) => sum(io.filter((entry) => entry.op.toLowerCase() === op).map(({ value }) => value));
  return {
    cpuSeconds: (cpu?.cpu_usage?.total_usage ?? 0) / 1e9,
    throttledSeconds: (cpu?.throttling_data?.throttled_time ?? 0) / 1e9,
    memoryBytes: Math.max(0, (memory?.usage ?? 0) - droppable(memory?.stats)),
    ...(memory?.limit === undefined ? {} : { memoryLimitBytes: memory.limit }),
    networkReceiveBytes: sum(networks.map(({ rx_bytes = 0 }) => rx_bytes)),
    networkTransmitBytes: sum(networks.map(({ tx_bytes = 0 }) => tx_bytes)),
    diskReadBytes: moved('read'),
    diskWrittenBytes: moved('write'),
  };
}

/** What the kernel can drop at any moment is not the job's: `inactive_file` (cgroup v2) or `total_inactive_file` (v1). */
function droppable(stats: Record<string, number> | undefined): number {
  return stats?.['total_inactive_file'] ?? stats?.['inactive_file'] ?? 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
