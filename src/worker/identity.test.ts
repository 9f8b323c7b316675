import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { identityOfWorker, partsOfIdentity, type WorkerIdentity } from '../contracts/worker-identity.js';
import { recordOf } from '../process-record.js';
import { hasEnded as hasEndedFor, ownIdentity } from './identity.js';

const OWN = ownIdentity();
const hasEnded = (identity: string) => hasEndedFor(identity, OWN);

function identityLike(changes: Partial<WorkerIdentity>): string {
  return identityOfWorker({ ...partsOfIdentity(OWN), ...changes });
}

async function withChild(use: (identity: string, kill: () => Promise<void>) => Promise<void>): Promise<void> {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const kill = async () => {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };
  try {
    await use(identityLike(recordOf(child.pid ?? 0)), kill);
  } finally {
    child.kill('SIGKILL');
  }
}

describe('a worker whose process is over', () => {
  it('is known once it was killed', async () => {
    await withChild(async (identity, kill) => {
      expect(hasEnded(identity)).toBe(false);
      await kill();
      expect(hasEnded(identity)).toBe(true);
    });
  });

  it('is not one that is merely stopped', async () => {
    await withChild((identity) => {
      process.kill(partsOfIdentity(identity).pid, 'SIGSTOP');
      expect(hasEnded(identity)).toBe(false);
      return Promise.resolve();
    });
  });

  it('is told from a later process with its id, also from this one', async () => {
    await withChild((identity) => {
      expect(hasEnded(identityOfWorker({ ...partsOfIdentity(identity), born: '1' }))).toBe(true);
      return Promise.resolve();
    });
    expect(hasEnded(identityLike({ born: '1' }))).toBe(true);
    expect(hasEnded(OWN)).toBe(false);
  });

  it('is not known of another boot, container or machine, nor of an identity of another kind', () => {
    expect(hasEnded(identityLike({ born: '1', space: '00000000' }))).toBe(false);
    expect(hasEnded(identityLike({ born: '1', space: '' }))).toBe(false);
    expect(hasEnded(identityLike({ pid: 999_999_999, born: '' }))).toBe(false);
    expect(hasEnded('4711@builder')).toBe(false);
    expect(hasEnded('')).toBe(false);
  });
});
