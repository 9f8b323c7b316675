import { readFileSync } from 'node:fs';

/** Clock ticks a second in `/proc/PID/stat`: 100 on every Linux that Node runs on. */
const TICKS = 100;

/** User and system time of a process, all its threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  // The name in parentheses may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Resident memory now. */
export function rssMiB(pid: number): number {
  return memoryMiB(pid, 'VmRSS');
}

/** The most resident memory that the process ever had. */
export function peakRssMiB(pid: number): number {
  return memoryMiB(pid, 'VmHWM');
}

function memoryMiB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (kib === undefined) throw new Error(`Process ${String(pid)} has no resident memory`);
  return Math.round((Number(kib) / 1024) * 10) / 10;
}
