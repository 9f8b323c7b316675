import { randomBytes } from 'node:crypto';
import type Docker from 'dockerode';
import { LABEL_JOB, LABEL_MACHINE } from '../../contracts/names.js';
import type { OwnedEngineSettings } from '../engine.js';
import { ignoringGone, isNotFound } from './errors.js';
import { LABEL_HOLDER, LABEL_SANDBOX, ownerLabels } from './names.js';

/** Whose machine a sandbox is to be. */
export interface SandboxOwner {
  /** Workflow id. */
  job: string;
  machine: string;
}

export interface WarmLock {
  /** Harmless when it is gone. */
  release(): Promise<void>;
}

/**
 * While it is held, nobody else gives a warm sandbox another name. The engine obeys a second rename of a container that it had looked up
 * before the first was done, whatever the name is by then: so a name alone is no lease that another could not take away. The lock is a
 * volume: made twice, it keeps the labels of who made it first. It says for whom the sandbox is claimed, until that is written in it; so
 * a claimer that dies in between leaves no sandbox of which nobody knows whose it is. One whose holder has died is swept soon.
 * @param owner absent: to be removed
 * @returns undefined: another holds it
 */
export async function lockWarm(
  docker: Docker,
  settings: OwnedEngineSettings,
  sandbox: { id: string; name: string },
  owner?: SandboxOwner,
): Promise<WarmLock | undefined> {
  const holder = randomBytes(8).toString('hex');
  const lock = await docker.createVolume({
    Name: `${sandbox.name}-lock`,
    Labels: {
      ...ownerLabels(settings),
      [LABEL_HOLDER]: holder,
      [LABEL_SANDBOX]: sandbox.id,
      ...(owner === undefined ? {} : { [LABEL_JOB]: owner.job, [LABEL_MACHINE]: owner.machine }),
    },
  });
  if ((await holderOf(lock)) !== holder) return undefined;
  return { release: () => ignoringGone(lock.remove()) };
}

/** For whom a sandbox was claimed by somebody who has not come to write it in it. */
export async function claimerOf(docker: Docker, sandbox: string): Promise<SandboxOwner | undefined> {
  const { Volumes } = await docker.listVolumes({ filters: { label: [`${LABEL_SANDBOX}=${sandbox}`] } });
  for (const { Labels } of Volumes) {
    const { [LABEL_JOB]: job, [LABEL_MACHINE]: machine } = Labels;
    if (job !== undefined && machine !== undefined) return { job, machine };
  }
  return undefined;
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
