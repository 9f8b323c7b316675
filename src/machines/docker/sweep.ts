import type Docker from 'dockerode';
import { LABEL_MACHINE } from '../../contracts/names.js';
import type { EngineSettings } from '../engine.js';
import { ignoringGone } from './errors.js';
import { listContainers } from './inventory.js';
import { LABEL_ENGINE } from './names.js';
import { releaseMachine } from './release.js';
import { removeSandbox } from './sandbox.js';
import { lonelySandboxes, readOwner } from './sandbox-owner.js';

/** Younger things may belong to a machine that is just being made, or to a workflow that visibility does not show yet. */
const YOUNG_MS = 10_000;
/** A claimed sandbox gets its containers at once; after this long its maker has died. */
const ABANDONED_MS = 2 * 60_000;

/**
 * Removes what belongs to no open job. Never touches anything without our labels, of another engine entry, or of an open job.
 * @param lonelySince kept between sweeps: when a claimed sandbox without containers was seen first. When it was claimed is
 *   written nowhere, and its maker may be about to use it.
 * @returns the names of what was removed
 */
export async function sweep(
  docker: Docker,
  settings: EngineSettings,
  isOpen: (job: string) => Promise<boolean>,
  lonelySince: Map<string, number>,
): Promise<string[]> {
  const containers = await listContainers(docker, settings.name);
  const now = Date.now();
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
  removed.push(...(await sweepVolumes(docker, settings, new Set(containers.map((container) => container.volume)))));
  return removed;
}

async function sweepNetworks(
  docker: Docker,
  settings: EngineSettings,
  machines: string[],
  now: number,
): Promise<string[]> {
  const networks = await docker.listNetworks({ filters: { label: [`${LABEL_ENGINE}=${settings.name}`] } });
  const lonely = networks.filter(
    (network) =>
      !machines.includes(network.Labels?.[LABEL_MACHINE] ?? '') && now - Date.parse(network.Created) > ABANDONED_MS,
  );
  for (const network of lonely) await ignoringGone(docker.getNetwork(network.Id).remove());
  return lonely.map((network) => network.Name);
}

async function sweepVolumes(
  docker: Docker,
  settings: EngineSettings,
  used: Set<string | undefined>,
): Promise<string[]> {
  const { Volumes } = await docker.listVolumes({ filters: { label: [`${LABEL_ENGINE}=${settings.name}`] } });
  const now = Date.now();
  const lonely = Volumes.filter((volume) => {
    const created = (volume as { CreatedAt?: string }).CreatedAt;
    return !used.has(volume.Name) && created !== undefined && now - Date.parse(created) > ABANDONED_MS;
  });
  for (const volume of lonely) await ignoringGone(docker.getVolume(volume.Name).remove());
  return lonely.map((volume) => volume.Name);
}
