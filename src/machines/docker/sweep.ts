import type Docker from 'dockerode';
import { LABEL_JOB, LABEL_MACHINE } from '../../contracts/names.js';
import type { OpenJobs, OwnedEngineSettings, Swept } from '../engine.js';
import type { Ages } from './ages.js';
import { ignoringGone } from './errors.js';
import { listContainers, type OurContainer } from './inventory.js';
import { LABEL_ENGINE, LABEL_INSTALLATION, LABEL_ORIGIN, ownerFilter } from './names.js';
import { releaseMachine } from './release.js';
import { removeSandbox } from './sandbox.js';
import { lonelySandboxes, readOwner, type SandboxOwner } from './sandbox-owner.js';
import { unbegunSandboxes } from './unbegun.js';

/** Younger things may belong to a machine that is just being made, or to a workflow that visibility does not show yet. */
const YOUNG_MS = 10_000;
/** A claimed sandbox gets its owner at once; after this long its maker has died. */
const ABANDONED_MS = 2 * 60_000;

interface Sweep {
  docker: Docker;
  settings: OwnedEngineSettings;
  jobs: OpenJobs;
  ages: Ages;
  /** Nothing is removed after it. */
  signal: AbortSignal;
}

/**
 * Removes what belongs to no open job. Never touches anything without our labels, of another engine entry, of another
 * installation, or of an open job; but for the half of a machine that the job has got whole from another engine, or is past needing: it
 * would hold a slot for as long as the job runs.
 * @param ages kept between sweeps
 */
export async function sweep(
  docker: Docker,
  settings: OwnedEngineSettings,
  jobs: OpenJobs,
  ages: Ages,
  signal: AbortSignal,
): Promise<Swept> {
  const work: Sweep = { docker, settings, jobs: oncePerJob(jobs), ages, signal };
  ages.nextSweep();
  const containers = await listContainers(docker, settings);
  const machines = await sweepMachines(work, containers);
  const others = containers.filter(({ machine }) => !machines.removed.includes(machine));
  signal.throwIfAborted();
  const sandboxes = await sweepSandboxes(work, others);
  signal.throwIfAborted();
  const networks = await sweepNetworks(work, containers);
  signal.throwIfAborted();
  const volumes = await sweepVolumes(work, new Set(containers.map((container) => container.volume)));
  signal.throwIfAborted();
  const predecessors = await sweepPredecessors(work);
  return {
    removed: [...machines.removed, ...sandboxes, ...networks.removed, ...volumes, ...predecessors],
    unsettled: machines.unsettled || networks.unsettled || unbegunSandboxes(others).length > sandboxes.length,
  };
}

function oncePerJob(jobs: OpenJobs): OpenJobs {
  const known = new Map<string, Promise<boolean>>();
  return {
    isPast: (job, place) => jobs.isPast(job, place),
    isOpen(job) {
      const answer = known.get(job) ?? jobs.isOpen(job);
      known.set(job, answer);
      return answer;
    },
  };
}

/** @param halfMade nothing has run in it */
async function isNeeded(
  { settings, jobs }: Sweep,
  { job, machine }: SandboxOwner,
  halfMade: boolean,
): Promise<boolean> {
  if (!(await jobs.isOpen(job))) return false;
  return !(halfMade && (await jobs.isPast(job, { engine: settings.name, machine })));
}

async function sweepMachines(work: Sweep, containers: OurContainer[]): Promise<Swept> {
  const { docker, settings, ages, signal } = work;
  const unbegun = new Set(unbegunSandboxes(containers));
  const halfMade = new Set(
    containers.filter(({ id, sandbox }) => unbegun.has(sandbox ?? id)).map(({ machine }) => machine),
  );
  const removed = new Set<string>();
  let unsettled = false;
  for (const { job, machine, createdAtMs } of containers) {
    if (job === '' || removed.has(machine) || (await isNeeded(work, { job, machine }, halfMade.has(machine)))) continue;
    if (ages.isOver(`machine ${machine}`, YOUNG_MS, createdAtMs)) removed.add(machine);
    else unsettled = true;
  }
  for (const machine of removed) {
    signal.throwIfAborted();
    await releaseMachine(docker, settings, machine);
  }
  return { removed: [...removed], unsettled };
}

/** When one was claimed is written nowhere, and its maker may be about to use it. */
async function sweepSandboxes(work: Sweep, containers: OurContainer[]): Promise<string[]> {
  const { docker, ages } = work;
  const removed: string[] = [];
  for (const sandbox of lonelySandboxes(containers)) {
    const owner = await readOwner(docker, sandbox);
    const seenFor = (ms: number) => ages.isOver(`lonely ${sandbox.id}`, ms);
    const abandoned =
      owner === undefined ? seenFor(ABANDONED_MS) : seenFor(YOUNG_MS) && !(await isNeeded(work, owner, true));
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
async function sweepPredecessors({ docker, settings, ages }: Sweep): Promise<string[]> {
  const { id, origin } = settings.installation;
  const filters = { label: [`${LABEL_ENGINE}=${settings.name}`, `${LABEL_ORIGIN}=${origin}`] };
  const isTheirs = (labels: Record<string, string> | undefined) => labels?.[LABEL_INSTALLATION] !== id;
  const isOld = (id: string, createdAtMs: number) => ages.isOver(`theirs ${id}`, ABANDONED_MS, createdAtMs);
  const containers = (await docker.listContainers({ all: true, filters })).filter(
    (info) => isTheirs(info.Labels) && isOld(info.Id, info.Created * 1000),
  );
  for (const { Id } of containers) await ignoringGone(docker.getContainer(Id).remove({ force: true, v: true }));
  const networks = (await docker.listNetworks({ filters })).filter(
    (info) => isTheirs(info.Labels) && isOld(info.Id, Date.parse(info.Created)),
  );
  for (const { Id } of networks) await ignoringGone(docker.getNetwork(Id).remove());
  const { Volumes } = await docker.listVolumes({ filters });
  const volumes = Volumes.filter((info) => isTheirs(info.Labels) && isOld(info.Name, createdAtOf(info)));
  for (const { Name } of volumes) await ignoringGone(docker.getVolume(Name).remove());
  return [
    ...containers.map((info) => (info.Names[0] ?? info.Id).replace(/^\//, '')),
    ...networks.map((info) => info.Name),
    ...volumes.map((info) => info.Name),
  ];
}

/** Those without containers: a machine takes its network with it. */
async function sweepNetworks({ docker, settings, jobs, ages }: Sweep, containers: OurContainer[]): Promise<Swept> {
  const machines = new Set(containers.map(({ machine }) => machine));
  const networks = await docker.listNetworks({ filters: { label: ownerFilter(settings) } });
  const swept: Swept = { removed: [], unsettled: false };
  for (const { Id, Name, Labels, Created } of networks) {
    if (machines.has(Labels?.[LABEL_MACHINE] ?? '') || (await jobs.isOpen(Labels?.[LABEL_JOB] ?? ''))) continue;
    if (ages.isOver(`network ${Id}`, YOUNG_MS, Date.parse(Created))) {
      await ignoringGone(docker.getNetwork(Id).remove());
      swept.removed.push(Name);
    } else swept.unsettled = true;
  }
  return swept;
}

async function sweepVolumes({ docker, settings, ages }: Sweep, used: Set<string | undefined>): Promise<string[]> {
  const { Volumes } = await docker.listVolumes({ filters: { label: ownerFilter(settings) } });
  const lonely = Volumes.filter(
    (volume) => !used.has(volume.Name) && ages.isOver(`volume ${volume.Name}`, ABANDONED_MS, createdAtOf(volume)),
  );
  for (const volume of lonely) await ignoringGone(docker.getVolume(volume.Name).remove());
  return lonely.map((volume) => volume.Name);
}

/** Not a number where the engine does not tell. */
function createdAtOf(volume: object): number {
  return Date.parse((volume as { CreatedAt?: string }).CreatedAt ?? '');
}
