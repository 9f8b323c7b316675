import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { Reading } from './reading.js';

export interface CgroupRoots {
  /** Default `/sys/fs/cgroup`. */
  cgroup?: string;
  /** Default `/proc`. */
  proc?: string;
}

/**
 * A container's reading from the kernel's own files: a tenth of what a request to the engine costs, and none of the engine's time.
 * Only for an engine of this host, and only where its files can be seen (not from inside most containers).
 * Synchronous on purpose: the kernel answers from memory, and a thread pool's round trip would cost more than the reading.
 * @param pid of any process in the container
 * @param ownsNetwork false: its network is another container's or the host's, and not counted here
 * @returns undefined when the process is not the container's (any more) or something is not to be seen here
 */
export function readCgroupFiles(
  container: { id: string; pid: number; ownsNetwork: boolean },
  { cgroup = '/sys/fs/cgroup', proc = '/proc' }: CgroupRoots = {},
): Reading | undefined {
  try {
    const process = join(proc, String(container.pid));
    const groups = parseGroups(readFileSync(join(process, 'cgroup'), 'utf8'));
    const mine = [...groups.values()].every((path) => path.includes(container.id));
    if (groups.size === 0 || !mine) return undefined;
    const network = container.ownsNetwork ? parseNetDev(read(process, 'net/dev')) : NO_NETWORK;
    const unified = groups.get('');
    return {
      ...(groups.size === 1 && unified !== undefined ? readV2(join(cgroup, unified)) : readV1(cgroup, proc, groups)),
      ...network,
    };
  } catch {
    return undefined; // ended between two reads, or hidden: the engine's API knows
  }
}

/** `4:memory:/docker/…` of version 1 by controller; `0::/…` of version 2 under the empty name, left out where both are mounted. */
function parseGroups(text: string): Map<string, string> {
  const groups = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined || controllers.startsWith('name=')) continue;
    for (const controller of controllers.split(',')) groups.set(controller, path);
  }
  if (groups.has('memory')) groups.delete('');
  return groups;
}

function readV1(
  root: string,
  proc: string,
  groups: ReadonlyMap<string, string>,
): Omit<Reading, 'networkReceiveBytes' | 'networkTransmitBytes'> {
  const file = (controller: string, name: string) =>
    read(join(root, controller, groups.get(controller) ?? 'none'), name);
  const memory = parseFlat(file('memory', 'memory.stat'));
  const io = file('blkio', 'blkio.throttle.io_service_bytes_recursive');
  const processes = sumProcesses(proc, file('memory', 'cgroup.procs'));
  return {
    cpuSeconds: Number(file('cpuacct', 'cpuacct.usage')) / 1e9,
    throttledSeconds: (parseFlat(file('cpu', 'cpu.stat')).get('throttled_time') ?? 0) / 1e9,
    memoryBytes: Math.max(
      0,
      Number(file('memory', 'memory.usage_in_bytes')) - (memory.get('total_inactive_file') ?? 0),
    ),
    memoryLimitBytes: Math.min(totalmem(), memory.get('hierarchical_memory_limit') ?? Infinity),
    diskReadBytes: Math.max(processes.read, sumOf(io, /^\d+:\d+ Read (\d+)$/gm)),
    diskWrittenBytes: Math.max(processes.written, sumOf(io, /^\d+:\d+ Write (\d+)$/gm)),
  };
}

/**
 * What the processes of a container have moved, each with its ended children. Newer kernels count nothing in version 1's `blkio`
 * unless there is a limit. Zero where we may not look (only root and the same user may).
 */
function sumProcesses(proc: string, pids: string): { read: number; written: number } {
  const total = { read: 0, written: 0 };
  for (const pid of pids.split('\n')) {
    if (pid === '') continue;
    try {
      const io = read(join(proc, pid), 'io');
      total.read += sumOf(io, /^read_bytes: (\d+)$/gm);
      total.written += sumOf(io, /^write_bytes: (\d+)$/gm);
    } catch {
      continue; // it has ended: its parent has its figures
    }
  }
  return total;
}

function readV2(group: string): Omit<Reading, 'networkReceiveBytes' | 'networkTransmitBytes'> {
  const cpu = parseFlat(read(group, 'cpu.stat'));
  const memory = parseFlat(read(group, 'memory.stat'));
  const io = read(group, 'io.stat');
  const limit = read(group, 'memory.max').trim();
  return {
    cpuSeconds: (cpu.get('usage_usec') ?? NaN) / 1e6,
    throttledSeconds: (cpu.get('throttled_usec') ?? 0) / 1e6,
    memoryBytes: Math.max(0, Number(read(group, 'memory.current')) - (memory.get('inactive_file') ?? 0)),
    memoryLimitBytes: limit === 'max' ? totalmem() : Math.min(totalmem(), Number(limit)),
    diskReadBytes: sumOf(io, /\brbytes=(\d+)/g),
    diskWrittenBytes: sumOf(io, /\bwbytes=(\d+)/g),
  };
}

const NO_NETWORK = { networkReceiveBytes: 0, networkTransmitBytes: 0 };

/** All interfaces but the loopback. */
function parseNetDev(text: string): typeof NO_NETWORK {
  const total = { ...NO_NETWORK };
  for (const line of text.split('\n')) {
    const [, name, rest] = /^\s*([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || name === 'lo' || rest === undefined) continue;
    const fields = rest.split(/\s+/).map(Number);
    total.networkReceiveBytes += fields[0] ?? 0;
    total.networkTransmitBytes += fields[8] ?? 0;
  }
  return total;
}

function read(directory: string, name: string): string {
  return readFileSync(join(directory, name), 'utf8');
}

/** `name value` lines. */
function parseFlat(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0) values.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return values;
}

function sumOf(text: string, pattern: RegExp): number {
  let total = 0;
  for (const [, value] of text.matchAll(pattern)) total += Number(value);
  return total;
}
