import type Docker from 'dockerode';
import { LABEL_MACHINE } from '../../contracts/names.js';
import type { OwnedEngineSettings } from '../engine.js';
import { ignoringGone } from './errors.js';
import { listContainers } from './inventory.js';
import { LABEL_ENGINE, LABEL_INSTALLATION, LABEL_ORIGIN, ownerFilter } from './names.js';
import { releaseMachine } from './release.js';
import { removeSandbox } from './sandbox.js';
import { lonelySandboxes, readOwner } from './sandbox-owner.js';

/** Younger things may belong to a machine that is just being made, or to a workflow that visibility does not show yet. */
const YOUNG_MS = 10_000;
/** A claimed sandbox gets its containers at once; after this long its maker has died. */
const ABANDONED_MS = 2 * 60_000;

/**
 * Removes what belongs to no open job. Never touches anything without our labels, of another engine entry, of another
 * installation, or of an open job.
 * @param memory.now Unix milliseconds
 * @param memory.lonelySince kept between sweeps: when a claimed sandbox without containers was seen first. When it was claimed is
 *   written nowhere, and its maker may be about to use it.
 * @returns the names of what was removed
 */
export async function sweep(
  docker: Docker,
  settings: OwnedEngineSettings,
  isOpen: (job: string) => Promise<boolean>,
  { lonelySince, now }: { lonelySince: Map<string, number>; now: number },
): Promise<string[]> {
  const containers = await listContainers(docker, settings);
  const removed: string[] = [];
  const open = new Map<string, boolean>();
  for (const job of new Set(containers.map((container) => container.job))) {
    if (job !== '') open.set(job, await isOpen(job));
  }
  const leftovers = new Set(
    containers
      .filter((container) => open.get(container.job) === false && now - container.createdAtMs > YOUNG_MS)
      .map((container) => container.machine),
  );
  for (const machine of leftovers) {
    await releaseMachine(docker, settings, machine);
    removed.push(machine);
  }
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
  removed.push(
    ...(await sweepNetworks(
      docker,
      settings,
      containers.map((container) => container.machine),
      now,
    )),
  );
  removed.push(
    ...(await sweepVolumes(docker, settings, new Set(containers.map((container) => container.volume)), now)),
  );
  removed.push(...(await sweepPredecessors(docker, settings, now)));
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

async function sweepNetworks(
  docker: Docker,
  settings: OwnedEngineSettings,
  machines: string[],
  now: number,
): Promise<string[]> {
  const networks = await docker.listNetworks({ filters: { label: ownerFilter(settings) } });
  const lonely = networks.filter(
    (network) =>
      !machines.includes(network.Labels?.[LABEL_MACHINE] ?? '') && now - Date.parse(network.Created) > ABANDONED_MS,
  );
  for (const network of lonely) await ignoringGone(docker.getNetwork(network.Id).remove());
  return lonely.map((network) => network.Name);
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
