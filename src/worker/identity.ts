import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { identityOfWorker, partsOfIdentity } from '../contracts/worker-identity.js';
import { isAlive, recordOf } from '../process-record.js';

/** How Temporal knows this process. */
export function ownIdentity(): string {
  const { pid, born } = recordOf(process.pid);
  return identityOfWorker({ pid, host: hostname(), space: spaceOfProcesses(), born });
}

/**
 * Whether the process of that worker is over. False also of whatever cannot be known from here: a worker of another machine, of
 * another container, of before the last boot, or of a release whose identities do not say where they are from.
 * @param own this process's
 */
export function hasEnded(identity: string, own: string): boolean {
  const { pid, space, born } = partsOfIdentity(identity);
  if (space === '' || space !== partsOfIdentity(own).space || born === '' || identity === own) return false;
  return !isAlive({ pid, born });
}

/**
 * Ids of processes mean the same in it: one boot of one kernel, and one namespace of it, which a container has of its own. Names of
 * hosts say less, since clones and containers may share one. Empty where there is no /proc.
 */
function spaceOfProcesses(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const namespace = readlinkSync('/proc/self/ns/pid');
    return createHash('sha256').update(`${boot} ${namespace}`).digest('hex').slice(0, SPACE_DIGITS);
  } catch {
    return '';
  }
}

const SPACE_DIGITS = 8;
