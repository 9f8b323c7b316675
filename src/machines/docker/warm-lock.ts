import { randomBytes } from 'node:crypto';
import type Docker from 'dockerode';
import type { OwnedEngineSettings } from '../engine.js';
import { ignoringGone, isNotFound } from './errors.js';
import { LABEL_HOLDER, ownerLabels } from './names.js';

/**
 * Does something with a warm sandbox while nobody else can give it another name. The engine obeys a second rename of a container
 * that it had looked up before the first was done, whatever the name is by then: so a name alone is no lease that another could not
 * take away. The lock is a volume: made twice, it keeps the labels of who made it first. One whose holder has died is swept after two
 * minutes as any volume that nothing uses; until then nobody has its sandbox.
 * @returns undefined: another holds it
 */
export async function withWarmLock<T>(
  docker: Docker,
  settings: OwnedEngineSettings,
  sandbox: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const holder = randomBytes(8).toString('hex');
  const lock = await docker.createVolume({
    Name: `${sandbox}-lock`,
    Labels: { ...ownerLabels(settings), [LABEL_HOLDER]: holder },
  });
  if ((await holderOf(lock)) !== holder) return undefined;
  try {
    return await work();
  } finally {
    await ignoringGone(lock.remove());
  }
}

async function holderOf(lock: Docker.Volume): Promise<string | undefined> {
  try {
    return (await lock.inspect()).Labels[LABEL_HOLDER];
  } catch (error) {
    // Whoever had made it has just given it up.
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
