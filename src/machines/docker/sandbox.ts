import { createHash, randomBytes } from 'node:crypto';
import type Docker from 'dockerode';
import { LABEL_JOB, LABEL_MACHINE, LABEL_ROLE } from '../../contracts/names.js';
import { MachineError, type OwnedEngineSettings } from '../engine.js';
import { ignoringGone, isConflict, isNotFound, startedAnyhow } from './errors.js';
import { volumeMount } from './host-config.js';
import { listContainers, type OurContainer } from './inventory.js';
import { begunSandboxOf, writeOwner, type SandboxOwner } from './sandbox-owner.js';
import { ownerLabels, LABEL_SHAPE, LABEL_VOLUME, slotName, volumeName, warmName } from './names.js';
import { lockWarm, type WarmLock } from './warm-lock.js';

/**
 * A sandbox is the part of a machine that can be made before its job comes: a container that holds the network namespace and a
 * volume, and does nothing. Its name is the lease: `…-slot-<n>` exists once on an engine, so two workers cannot overbook it.
 */
export interface Sandbox {
  id: string;
  volume: string;
  /** It had been made before its job came. */
  warm: boolean;
  /** Writes in it whose it is: to be done beside what comes next. */
  settle(): Promise<void>;
}

export interface SandboxNetwork {
  name: string;
  aliases: string[];
}

/**
 * Blocks for ever in a shell builtin: standard input stays open and nobody writes to it. PID 1 hears no signal that it has not asked for:
 * so it asks, and `wait` is what every shell breaks off for one. An engine that is told to stop ends it at once, and not after 10 s; of
 * this `failedWithItsMachine` knows.
 */
const PAUSE = ['trap "exit 0" TERM; exec 3<&0; read _ <&3 & wait'];

/** End of the name of a warm sandbox that is being removed: no job's any more. */
const GOING = '-going';

/** Claims collide only while several jobs arrive in the same instant. */
const CLAIM_ATTEMPTS = 20;

/**
 * Lease a slot. A warm sandbox is renamed into it (and is still to be told whose it is: `settle`); without one, or when the job needs its own network, a new one is made there.
 * @throws MachineError ENGINE_FULL
 */
export async function claimSandbox(
  docker: Docker,
  settings: OwnedEngineSettings,
  owner: SandboxOwner,
  network: SandboxNetwork | undefined,
): Promise<Sandbox> {
  // Others are at these just now, which the engine lists only when they are done: rather the next one.
  const contended = { sandboxes: new Set<string>(), slots: new Set<number>() };
  for (let attempt = 0; attempt < CLAIM_ATTEMPTS; attempt++) {
    const containers = await listContainers(docker, settings);
    const own = await begunSandboxOf(docker, containers, owner.machine);
    if (own !== undefined) return await takeOver(docker, own, owner);
    const slot = freeSlots(settings, containers).find((free) => !contended.slots.has(free));
    if (slot === undefined) break;
    const name = slotName(settings, slot);
    const free = containers.filter((one) => isWarm(settings, one) && !contended.sandboxes.has(one.id));
    const warm = network === undefined ? free[0] : undefined;
    try {
      if (warm === undefined) return await createSandbox(docker, settings, name, { owner, network });
      const lock = await claimWarm(docker, settings, warm, name, owner);
      if (lock !== undefined) return claimed(docker, warm, owner, lock);
      contended.sandboxes.add(warm.id);
    } catch (error) {
      // Somebody was faster: the slot is taken, or the warm one is.
      if (isConflict(error)) contended.slots.add(slot);
      else if (!isNotFound(error)) throw error;
    }
  }
  throw new MachineError('ENGINE_FULL', `All ${String(settings.capacity)} slots of engine ${settings.name} are taken`, {
    retryable: true,
  });
}

function claimed(docker: Docker, { id, volume = '' }: OurContainer, owner: SandboxOwner, lock: WarmLock): Sandbox {
  const settle = async () => {
    await writeOwner(docker.getContainer(id), owner);
    await lock.release();
  };
  return { id, volume, warm: true, settle };
}

/**
 * By its name and not by its id: once another has renamed it there is none of that name.
 * @returns the lock, still held; undefined: another has the sandbox, or takes it just now
 */
async function claimWarm(
  docker: Docker,
  settings: OwnedEngineSettings,
  warm: OurContainer,
  name: string,
  owner?: SandboxOwner,
): Promise<WarmLock | undefined> {
  const lock = await lockWarm(docker, settings, warm, owner);
  if (lock === undefined) return undefined;
  try {
    await docker.getContainer(warm.name).rename({ name });
    return lock;
  } catch (error) {
    // Else it may have its new name, or get it yet, and only the answer was lost: then the lock alone says whose it is, or that it goes.
    if (isNotFound(error) || isConflict(error)) await lock.release();
    throw error;
  }
}

/** An earlier attempt to make this machine has come so far and no further. */
async function takeOver(docker: Docker, own: OurContainer, owner: SandboxOwner): Promise<Sandbox> {
  if (own.state !== 'running') await startedAnyhow(docker.getContainer(own.id).start());
  const settle = async () => {
    // Made for a job, it has it on its labels.
    if (own.machine === '') await writeOwner(docker.getContainer(own.id), owner);
  };
  return { id: own.id, volume: own.volume ?? '', warm: false, settle };
}

export function freeSlots(settings: OwnedEngineSettings, containers: OurContainer[]): number[] {
  const taken = new Set(containers.map((container) => container.slot));
  return Array.from({ length: settings.capacity }, (_, slot) => slot).filter((slot) => !taken.has(slot));
}

/**
 * Makes warm sandboxes until there are as many as configured; older shapes go.
 * @param signal the one that is being made is finished, so that whoever stops finds it and takes it away
 */
export async function keepWarm(docker: Docker, settings: OwnedEngineSettings, signal: AbortSignal): Promise<void> {
  const containers = await listContainers(docker, settings);
  const named = containers.filter((container) => hasWarmName(settings, container));
  const usable = named.filter((container) => isWarm(settings, container) || isBeingMade(settings, container));
  const stale = named.filter((container) => !usable.includes(container));
  await Promise.all(stale.map((container) => removeWarm(docker, settings, container)));
  const missing = Math.min(settings.warm, freeSlots(settings, containers).length) - usable.length;
  for (let made = 0; made < missing && !signal.aborted; made++) {
    await createSandbox(docker, settings, warmName(settings, randomName()), {});
  }
}

/** Makes a sandbox and removes it, as a warm one: what dies in between leaves nothing that the engine would not have anyway. */
export async function probeSandbox(docker: Docker, settings: OwnedEngineSettings): Promise<void> {
  const { id } = await createSandbox(docker, settings, warmName(settings, randomName()), {});
  const made = (await listContainers(docker, settings)).find((container) => container.id === id);
  // A job that was faster has it, which proves as much.
  if (made !== undefined && hasWarmName(settings, made)) await removeWarm(docker, settings, made);
}

export async function dropWarm(docker: Docker, settings: OwnedEngineSettings): Promise<void> {
  const containers = await listContainers(docker, settings);
  const warm = containers.filter((container) => hasWarmName(settings, container));
  await Promise.all(warm.map((container) => removeWarm(docker, settings, container)));
}

/**
 * Claimed like one for a job, and only then removed: a removal by name alone takes a moment in which a job may still rename the
 * container that is about to go. One that a job has claimed since it was listed stays.
 */
async function removeWarm(docker: Docker, settings: OwnedEngineSettings, warm: OurContainer): Promise<void> {
  try {
    if (!warm.name.endsWith(GOING)) {
      const lock = await claimWarm(docker, settings, warm, `${warm.name}${GOING}`);
      if (lock === undefined) return;
      await lock.release();
    }
  } catch (error) {
    if (isNotFound(error) || isConflict(error)) return;
    throw error;
  }
  await removeSandbox(docker, warm.id, warm.volume);
}

/** @param container id or name */
export async function removeSandbox(docker: Docker, container: string, volume: string | undefined): Promise<void> {
  await ignoringGone(docker.getContainer(container).remove({ force: true, v: true }));
  if (volume !== undefined && volume !== '') await ignoringGone(docker.getVolume(volume).remove());
}

async function createSandbox(
  docker: Docker,
  settings: OwnedEngineSettings,
  name: string,
  { owner, network }: { owner?: SandboxOwner; network?: SandboxNetwork | undefined },
): Promise<Sandbox> {
  const volume = volumeName(settings, randomName());
  const ownLabels = {
    ...ownerLabels(settings),
    [LABEL_JOB]: owner?.job ?? '',
    ...(owner === undefined ? {} : { [LABEL_MACHINE]: owner.machine }),
    [LABEL_ROLE]: 'sandbox',
  };
  const container = await docker.createContainer({
    name,
    Image: settings.helperImage,
    Entrypoint: ['sh', '-c'],
    Cmd: PAUSE,
    User: '0',
    OpenStdin: true,
    Labels: {
      ...settings.containerLabels,
      ...ownLabels,
      [LABEL_VOLUME]: volume,
      [LABEL_SHAPE]: shapeOf(settings),
    },
    HostConfig: {
      NetworkMode: network?.name ?? settings.networkMode,
      LogConfig: { Type: 'none', Config: {} },
      Mounts: [volumeMount(settings, volume, settings.buildsDirectory, ownLabels)],
      ExtraHosts: settings.extraHosts,
      Dns: settings.dns,
      DnsSearch: settings.dnsSearch,
      Sysctls: settings.sysctls,
    },
    ...(network === undefined
      ? {}
      : { NetworkingConfig: { EndpointsConfig: { [network.name]: { Aliases: network.aliases } } } }),
  });
  try {
    // A later attempt to make this machine may have found it, and done so.
    await startedAnyhow(container.start());
  } catch (error) {
    await removeSandbox(docker, container.id, volume);
    throw error;
  }
  return { id: container.id, volume, warm: false, settle: () => Promise.resolve() };
}

/** Settings that a finished sandbox can no longer change. */
function shapeOf(settings: OwnedEngineSettings): string {
  const {
    helperImage,
    networkMode,
    buildsDirectory,
    extraHosts,
    dns,
    dnsSearch,
    sysctls,
    containerLabels,
    volumeDriver,
  } = settings;
  const shape = JSON.stringify([
    helperImage,
    networkMode,
    buildsDirectory,
    extraHosts,
    dns,
    dnsSearch,
    sysctls,
    containerLabels,
    volumeDriver,
  ]);
  return createHash('sha256').update(shape).digest('hex').slice(0, 16);
}

function hasWarmName(settings: OwnedEngineSettings, container: OurContainer): boolean {
  return container.name.startsWith(warmName(settings, ''));
}

function isWarm(settings: OwnedEngineSettings, container: OurContainer): boolean {
  return isKept(settings, container) && container.state === 'running' && container.shape === shapeOf(settings);
}

/** One that is going is finished off by the next `keepWarm` when its remover has died. */
function isKept(settings: OwnedEngineSettings, container: OurContainer): boolean {
  return hasWarmName(settings, container) && !container.name.endsWith(GOING);
}

/** By another round of `keepWarm`, or by one that has died: then it is made no longer after this time. */
const MAKING_MS = 60_000;

function isBeingMade(settings: OwnedEngineSettings, container: OurContainer): boolean {
  const { state, shape, createdAtMs } = container;
  return (
    isKept(settings, container) &&
    state === 'created' &&
    shape === shapeOf(settings) &&
    Date.now() - createdAtMs < MAKING_MS
  );
}

function randomName(): string {
  return randomBytes(6).toString('hex');
}
