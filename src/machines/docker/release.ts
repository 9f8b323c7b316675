import type Docker from 'dockerode';
import { LABEL_MACHINE } from '../../contracts/names.js';
import type { OwnedEngineSettings } from '../engine.js';
import { ignoringGone } from './errors.js';
import { listContainers } from './inventory.js';
import { ownerFilter } from './names.js';
import { lonelySandboxOf } from './sandbox-owner.js';
import { removeSandbox } from './sandbox.js';

/** Removes all that carries the machine's name. The containers first: they stand on the sandbox's network and volume. */
export async function releaseMachine(docker: Docker, settings: OwnedEngineSettings, machine: string): Promise<void> {
  const containers = await listContainers(docker, settings);
  const own = containers.filter((container) => container.machine === machine);
  const lonely = await lonelySandboxOf(docker, containers, machine);
  const sandboxes = new Set([
    ...own.flatMap((container) => container.sandbox ?? (container.slot === undefined ? [] : [container.id])),
    ...(lonely === undefined ? [] : [lonely.id]),
  ]);
  await Promise.all(
    own.map((container) => ignoringGone(docker.getContainer(container.id).remove({ force: true, v: true }))),
  );
  for (const id of sandboxes) {
    await removeSandbox(docker, id, containers.find((container) => container.id === id)?.volume);
  }
  const labels = [...ownerFilter(settings), `${LABEL_MACHINE}=${machine}`];
  await removeNetworks(docker, labels);
  await removeVolumes(docker, labels);
}

/** A volume whose sandbox was removed by somebody who died before the volume's turn, or a lock. */
async function removeVolumes(docker: Docker, labels: string[]): Promise<void> {
  const { Volumes } = await docker.listVolumes({ filters: { label: labels } });
  await Promise.all(Volumes.map(({ Name }) => ignoringGone(docker.getVolume(Name).remove())));
}

export async function removeNetworks(docker: Docker, labels: string[]): Promise<void> {
  const networks = await docker.listNetworks({ filters: { label: labels } });
  await Promise.all(networks.map((network) => ignoringGone(docker.getNetwork(network.Id).remove())));
}
