import type Docker from 'dockerode';
import { LABEL_JOB, LABEL_MACHINE } from '../../contracts/names.js';
import type { OwnedEngineSettings, Swept } from '../engine.js';
import { ignoringGone } from './errors.js';
import { listContainers, type OurContainer } from './inventory.js';
import { LABEL_ENGINE, LABEL_INSTALLATION, LABEL_ORIGIN, ownerFilter } from './names.js';
import { releaseMachine } from './release.js';
import { removeSandbox } from './sandbox.js';
import { lonelySandboxes, readOwner } from './sandbox-owner.js';
import { unbegunSandboxes } from './unbegun.js';

/** Younger things may belong to a machine that is just being made, or to a workflow that visibility does not show yet. */
const YOUNG_MS = 10_000;
/** A claimed sandbox gets its owner at once; after this long its maker has died. */
const ABANDONED_MS = 2 * 60_000;

interface Sweep {
  docker: Docker;
  settings: OwnedEngineSettings;
  isOpen: (job: string) => Promise<boolean>;
  /** Unix milliseconds. */
  now: number;
  /** Nothing is removed after it. */
  signal: AbortSignal;
}

/**
 * Removes what belongs to no open job. Never touches anything without our labels, of another engine entry, of another
 * installation, or of an open job.
 * @param memory.now Unix milliseconds
 * @param memory.lonelySince kept between sweeps: when a claimed sandbox without containers was seen first. When it was claimed is
 *   written nowhere, and its maker may be about to use it.
 */
export async function sweep(
  docker: Docker,
  settings: OwnedEngineSettings,
  isOpen: (job: string) => Promise<boolean>,
  { lonelySince, now }: { lonelySince: Map<string, number>; now: number },
  signal: AbortSignal,
): Promise<Swept> {
  const work: Sweep = { docker, settings, isOpen: oncePerJob(isOpen), now, signal };
  const containers = await listContainers(docker, settings);
  const machines = await sweepMachines(work, containers);
  const others = containers.filter(({ machine }) => !machines.removed.includes(machine));
  signal.throwIfAborted();
  const sandboxes = await sweepSandboxes(work, others, lonelySince);
  signal.throwIfAborted();
  const networks = await sweepNetworks(work, containers);
  signal.throwIfAborted();
  const volumes = await sweepVolumes(docker, settings, new Set(containers.map((container) => container.volume)), now);
  signal.throwIfAborted();
  const predecessors = await sweepPredecessors(docker, settings, now);
  return {
    removed: [...machines.removed, ...sandboxes, ...networks.removed, ...volumes, ...predecessors],
    unsettled: machines.unsettled || networks.unsettled || unbegunSandboxes(others).length > sandboxes.length,
  };
}

function oncePerJob(isOpen: Sweep['isOpen']): Sweep['isOpen'] {
  const known = new Map<string, Promise<boolean>>();
  return (job) => {
    const answer = known.get(job) ?? isOpen(job);
    known.set(job, answer);
    return answer;
  };
}

async function sweepMachines(
  { docker, settings, isOpen, now, signal }: Sweep,
  containers: OurContainer[],
): Promise<Swept> {
  const removed = new Set<string>();
  let unsettled = false;
  for (const { job, machine, createdAtMs } of containers) {
    if (job === '' || removed.has(machine) || (await isOpen(job))) continue;
    if (now - createdAtMs > YOUNG_MS) removed.add(machine);
    else unsettled = true;
  }
  for (const machine of removed) {
    signal.throwIfAborted();
    await releaseMachine(docker, settings, machine);
  }
  return { removed: [...removed], unsettled };
}

async function sweepSandboxes(
  { docker, isOpen, now }: Sweep,
  containers: OurContainer[],
  lonelySince: Map<string, number>,
): Promise<string[]> {
  const removed: string[] = [];
  const claimed = lonelySandboxes(containers);
  for (const id of lonelySince.keys()) if (!claimed.some((sandbox) => sandbox.id === id)) lonelySince.delete(id);
  for (const sandbox of claimed) {
    const owner = await readOwner(docker, sandbox);
    const since = lonelySince.get(sandbox.id) ?? now;
    lonelySince.set(sandbox.id, since);
    const abandoned =
      owner === undefined ? now - since >= ABANDONED_MS : now - since >= YOUNG_MS && !(await isOpen(owner.job));
    if (!abandoned) continue;
    await removeSandbox(docker, sandbox.id, sandbox.volume);
    removed.push(sandbox.name);
  }
  return removed;
}

/**
 * What an installation has left that lived where we live now: its state was deleted, so nobody knows of its jobs any more. Of all
 * other installations nothing is touched, since only their own workers can tell what is open.
 */
async function sweepPredecessors(docker: Docker, settings: OwnedEngineSettings, now: number): Promise<string[]> {
  const { id, origin } = settings.installation;
  const filters = { label: [`${LABEL_ENGINE}=${settings.name}`, `${LABEL_ORIGIN}=${origin}`] };
  const isTheirs = (labels: Record<string, string> | undefined) => labels?.[LABEL_INSTALLATION] !== id;
  const isOld = (createdAtMs: number) => now - createdAtMs > ABANDONED_MS;
  const containers = (await docker.listContainers({ all: true, filters })).filter(
    (info) => isTheirs(info.Labels) && isOld(info.Created * 1000),
  );
  for (const { Id } of containers) await ignoringGone(docker.getContainer(Id).remove({ force: true, v: true }));
  const networks = (await docker.listNetworks({ filters })).filter(
    (info) => isTheirs(info.Labels) && isOld(Date.parse(info.Created)),
  );
  for (const { Id } of networks) await ignoringGone(docker.getNetwork(Id).remove());
  const { Volumes } = await docker.listVolumes({ filters });
  const volumes = Volumes.filter(
    (info) => isTheirs(info.Labels) && isOld(Date.parse((info as { CreatedAt?: string }).CreatedAt ?? '')),
  );
  for (const { Name } of volumes) await ignoringGone(docker.getVolume(Name).remove());
  return [
    ...containers.map((info) => (info.Names[0] ?? info.Id).replace(/^\//, '')),
    ...networks.map((info) => info.Name),
    ...volumes.map((info) => info.Name),
  ];
}

/** Those without containers: a machine takes its network with it. */
async function sweepNetworks({ docker, settings, isOpen, now }: Sweep, containers: OurContainer[]): Promise<Swept> {
  const machines = new Set(containers.map(({ machine }) => machine));
  const networks = await docker.listNetworks({ filters: { label: ownerFilter(settings) } });
  const swept: Swept = { removed: [], unsettled: false };
  for (const { Id, Name, Labels, Created } of networks) {
    if (machines.has(Labels?.[LABEL_MACHINE] ?? '') || (await isOpen(Labels?.[LABEL_JOB] ?? ''))) continue;
    if (now - Date.parse(Created) > YOUNG_MS) {
      await ignoringGone(docker.getNetwork(Id).remove());
      swept.removed.push(Name);
    } else swept.unsettled = true;
  }
  return swept;
}

async function sweepVolumes(
  docker: Docker,
  settings: OwnedEngineSettings,
  used: Set<string | undefined>,
  now: number,
): Promise<string[]> {
  const { Volumes } = await docker.listVolumes({ filters: { label: ownerFilter(settings) } });
  const lonely = Volumes.filter((volume) => {
    const created = (volume as { CreatedAt?: string }).CreatedAt;
    return !used.has(volume.Name) && created !== undefined && now - Date.parse(created) > ABANDONED_MS;
  });
  for (const volume of lonely) await ignoringGone(docker.getVolume(volume.Name).remove());
  return lonely.map((volume) => volume.Name);
}
