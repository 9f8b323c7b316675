import type Docker from 'dockerode';
import { LABEL_JOB, LABEL_MACHINE } from '../../contracts/names.js';
import type { OpenJobs, OwnedEngineSettings, Swept } from '../engine.js';
import type { Ages } from './ages.js';
import { ignoringGone, messageOf } from './errors.js';
import { listContainers, type OurContainer } from './inventory.js';
import { LABEL_ENGINE, LABEL_HOLDER, LABEL_INSTALLATION, LABEL_ORIGIN, LABEL_SANDBOX, ownerFilter } from './names.js';
import { releaseMachine } from './release.js';
import { removeSandbox } from './sandbox.js';
import { lonelySandboxes, readOwner, type SandboxOwner } from './sandbox-owner.js';
import { unbegunSandboxes } from './unbegun.js';

/** Younger things may belong to a machine that is just being made, or to a workflow that visibility does not show yet. */
const YOUNG_MS = 10_000;
/** After so long the maker of what says of no job has died. */
const ABANDONED_MS = 2 * 60_000;

interface Sweep {
  docker: Docker;
  settings: OwnedEngineSettings;
  jobs: OpenJobs;
  ages: Ages;
  /**
   * Takes something away. What the engine cannot remove now (a container that hangs) keeps no other leftover.
   * @throws the signal's reason when it has aborted; nothing else
   */
  remove: (name: string, work: () => Promise<void>) => Promise<void>;
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
  const removed: string[] = [];
  const stuck: NonNullable<Swept['stuck']> = [];
  const remove: Sweep['remove'] = async (name, removal) => {
    signal.throwIfAborted();
    try {
      await removal();
      removed.push(name);
    } catch (error) {
      signal.throwIfAborted();
      stuck.push({ name, error: messageOf(error) });
    }
  };
  const work: Sweep = { docker, settings, jobs: oncePerJob(jobs), ages, remove };
  ages.nextSweep();
  const containers = await listContainers(docker, settings);
  const machines = await sweepMachines(work, containers);
  const others = containers.filter(({ machine }) => !machines.leftovers.has(machine));
  const sandboxes = await sweepSandboxes(work, others);
  const networks = await sweepNetworks(work, containers);
  const volumes = await sweepVolumes(work, containers);
  await sweepPredecessors(work);
  return {
    removed,
    unsettled: [machines, sandboxes, networks, volumes].some(({ unsettled }) => unsettled),
    ...(stuck.length === 0 ? {} : { stuck }),
  };
}

interface Settled {
  /** There is more that may be a leftover at the next look. */
  unsettled: boolean;
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

async function sweepMachines(
  work: Sweep,
  containers: OurContainer[],
): Promise<Settled & { leftovers: ReadonlySet<string> }> {
  const { docker, settings, ages } = work;
  const unbegun = new Set(unbegunSandboxes(containers));
  const halfMade = new Set(
    containers.filter(({ id, sandbox }) => unbegun.has(sandbox ?? id)).map(({ machine }) => machine),
  );
  const leftovers = new Set<string>();
  let unsettled = false;
  for (const { job, machine, createdAtMs } of containers) {
    if (job === '' || leftovers.has(machine) || (await isNeeded(work, { job, machine }, halfMade.has(machine))))
      continue;
    if (ages.isOver(`machine ${machine}`, YOUNG_MS, createdAtMs)) leftovers.add(machine);
    else unsettled = true;
  }
  for (const machine of leftovers) await work.remove(machine, () => releaseMachine(docker, settings, machine));
  return { leftovers, unsettled };
}

/** When one was claimed is written nowhere, and its maker may be about to use it. */
async function sweepSandboxes(work: Sweep, containers: OurContainer[]): Promise<Settled> {
  const { docker, ages } = work;
  let swept = 0;
  for (const sandbox of lonelySandboxes(containers)) {
    const owner = await readOwner(docker, sandbox);
    // Its machine has come to be in another one: the engine gave it this one too late.
    const isSpare = containers.some(
      (one) => one.machine === owner?.machine && one.sandbox !== undefined && one.sandbox !== sandbox.id,
    );
    const seenFor = (ms: number) => ages.isOver(`lonely ${sandbox.id}`, ms);
    const abandoned =
      owner === undefined
        ? seenFor(ABANDONED_MS)
        : seenFor(YOUNG_MS) && (isSpare || !(await isNeeded(work, owner, true)));
    if (!abandoned) continue;
    swept += 1;
    await work.remove(sandbox.name, () => removeSandbox(docker, sandbox.id, sandbox.volume));
  }
  return { unsettled: unbegunSandboxes(containers).length > swept };
}

/**
 * What an installation has left that lived where we live now: its state was deleted, so nobody knows of its jobs any more. Of all
 * other installations nothing is touched, since only their own workers can tell what is open.
 */
async function sweepPredecessors({ docker, settings, ages, remove }: Sweep): Promise<void> {
  const { id, origin } = settings.installation;
  const filters = { label: [`${LABEL_ENGINE}=${settings.name}`, `${LABEL_ORIGIN}=${origin}`] };
  const isTheirs = (labels: Record<string, string> | undefined) => labels?.[LABEL_INSTALLATION] !== id;
  const isOld = (id: string, createdAtMs: number) => ages.isOver(`theirs ${id}`, ABANDONED_MS, createdAtMs);
  const containers = (await docker.listContainers({ all: true, filters })).filter(
    (info) => isTheirs(info.Labels) && isOld(info.Id, info.Created * 1000),
  );
  for (const { Id, Names } of containers) {
    const name = (Names[0] ?? Id).replace(/^\//, '');
    await remove(name, () => ignoringGone(docker.getContainer(Id).remove({ force: true, v: true })));
  }
  const networks = (await docker.listNetworks({ filters })).filter(
    (info) => isTheirs(info.Labels) && isOld(info.Id, Date.parse(info.Created)),
  );
  for (const { Id, Name } of networks) await remove(Name, () => ignoringGone(docker.getNetwork(Id).remove()));
  const { Volumes } = await docker.listVolumes({ filters });
  const volumes = Volumes.filter((info) => isTheirs(info.Labels) && isOld(info.Name, createdAtOf(info)));
  for (const { Name } of volumes) await remove(Name, () => ignoringGone(docker.getVolume(Name).remove()));
}

/** Those without containers: a machine takes its network with it. */
async function sweepNetworks(
  { docker, settings, jobs, ages, remove }: Sweep,
  containers: OurContainer[],
): Promise<Settled> {
  const machines = new Set(containers.map(({ machine }) => machine));
  const networks = await docker.listNetworks({ filters: { label: ownerFilter(settings) } });
  let unsettled = false;
  for (const { Id, Name, Labels, Created } of networks) {
    if (machines.has(Labels?.[LABEL_MACHINE] ?? '') || (await jobs.isOpen(Labels?.[LABEL_JOB] ?? ''))) continue;
    if (ages.isOver(`network ${Id}`, YOUNG_MS, Date.parse(Created))) {
      await remove(Name, () => ignoringGone(docker.getNetwork(Id).remove()));
    } else unsettled = true;
  }
  return { unsettled };
}

async function sweepVolumes({ docker, settings, ages, remove }: Sweep, containers: OurContainer[]): Promise<Settled> {
  const used = new Set(containers.map((container) => container.volume));
  const lonely = new Set(lonelySandboxes(containers).map(({ id }) => id));
  const { Volumes } = await docker.listVolumes({ filters: { label: ownerFilter(settings) } });
  let unsettled = false;
  for (const volume of Volumes.filter(({ Name }) => !used.has(Name))) {
    const { Name, Labels } = volume;
    // A lock is held for a moment; by this clock alone, for the engine's may be another.
    const isLock = Object.hasOwn(Labels, LABEL_HOLDER);
    const isOver = isLock
      ? ages.isOver(`lock ${Name} ${String(Labels[LABEL_HOLDER])}`, YOUNG_MS)
      : ages.isOver(`volume ${Name}`, ABANDONED_MS, createdAtOf(volume));
    // It alone may say whose a claimed sandbox is.
    const isWanted = isLock && lonely.has(Labels[LABEL_SANDBOX] ?? '');
    if (isOver && !isWanted) await remove(Name, () => ignoringGone(docker.getVolume(Name).remove()));
    else unsettled ||= isLock;
  }
  return { unsettled };
}

/** Not a number where the engine does not tell. */
function createdAtOf(volume: object): number {
  return Date.parse((volume as { CreatedAt?: string }).CreatedAt ?? '');
}
