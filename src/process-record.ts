import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A process that can be told from a later one with the same id. */
export interface ProcessRecord {
  pid: number;
  /** When the kernel started it, in its own ticks; empty where there is no /proc. */
  born: string;
}

export function recordOf(pid: number): ProcessRecord {
  return { pid, born: bornOf(pid) ?? '' };
}

export function isAlive({ pid, born }: ProcessRecord): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Somebody else's process is a process all the same.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return born === '' || bornOf(pid) === born;
}

/** SIGTERM, and SIGKILL for what has not ended by then. Returns when it has ended. */
export async function endProcess(record: ProcessRecord, graceMs: number): Promise<void> {
  for (const deadline = Date.now() + graceMs; isAlive(record); await delay(LOOK_MS)) {
    const signal = Date.now() < deadline ? 'SIGTERM' : 'SIGKILL';
    try {
      process.kill(record.pid, signal);
    } catch {
      return; // it has ended in this very moment
    }
  }
}

const LOOK_MS = 100;
/** Of /proc/<pid>/stat, counted after the name in parentheses, which may hold anything. */
const START_TIME_FIELD = 19;
const STATE_FIELD = 0;

function bornOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not looked yet.
    return fields[STATE_FIELD] === 'Z' ? undefined : fields[START_TIME_FIELD];
  } catch {
    return undefined;
  }
}
