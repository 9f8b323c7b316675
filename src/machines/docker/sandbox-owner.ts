import type Docker from 'dockerode';
import { pack } from 'tar-stream';
import { readSmallFiles } from './files.js';
import type { OurContainer } from './inventory.js';
import { claimerOf, type SandboxOwner } from './warm-lock.js';

export type { SandboxOwner };

const DIRECTORY = '/.holdfast';
const FILE = 'owner';
/** Nothing can be read from it any more, and it is nobody's. */
const GOING_STATES = ['removing', 'dead'];

/**
 * Whose machine a claimed sandbox is. One that is made for a job carries labels; a warm one was made before its job came, and
 * labels cannot be changed: it gets a file, and until that is there its lock says it.
 */
export async function writeOwner(sandbox: Docker.Container, { job, machine }: SandboxOwner): Promise<void> {
  const tar = pack();
  tar.entry({ name: `${DIRECTORY.slice(1)}/`, type: 'directory', mode: 0o755 });
  tar.entry({ name: `${DIRECTORY.slice(1)}/${FILE}`, mode: 0o644 }, `${machine}\n${job}\n`);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  await sandbox.putArchive(Buffer.concat(chunks), { path: '/' });
}

/** @returns undefined for a sandbox that nobody has claimed */
export async function readOwner(docker: Docker, sandbox: OurContainer): Promise<SandboxOwner | undefined> {
  if (sandbox.machine !== '') return { job: sandbox.job, machine: sandbox.machine };
  const files = await readSmallFiles(docker.getContainer(sandbox.id), DIRECTORY, [FILE]);
  const [machine, job] = files?.get(FILE)?.split('\n') ?? [];
  return machine === undefined || job === undefined ? await claimerOf(docker, sandbox.id) : { job, machine };
}

/** Sandboxes that hold a slot while no container has joined them: just claimed, or what is left of a machine. */
export function lonelySandboxes(containers: readonly OurContainer[]): OurContainer[] {
  const used = new Set(containers.map((container) => container.sandbox));
  return containers.filter(
    ({ id, slot, state }) => slot !== undefined && !used.has(id) && !GOING_STATES.includes(state),
  );
}

/** The sandbox in which an earlier attempt has begun to make a machine. */
export async function begunSandboxOf(
  docker: Docker,
  containers: readonly OurContainer[],
  machine: string,
): Promise<OurContainer | undefined> {
  const joined = containers.find((container) => container.machine === machine && container.sandbox !== undefined);
  const begun = containers.find(
    ({ id, slot, state }) => id === joined?.sandbox && slot !== undefined && !GOING_STATES.includes(state),
  );
  return begun ?? (await lonelySandboxOf(docker, containers, machine));
}

/** The sandbox of a machine whose other containers are missing (not made yet, or taken away by somebody). */
export async function lonelySandboxOf(
  docker: Docker,
  containers: readonly OurContainer[],
  machine: string,
): Promise<OurContainer | undefined> {
  for (const sandbox of lonelySandboxes(containers)) {
    if ((await readOwner(docker, sandbox))?.machine === machine) return sandbox;
  }
  return undefined;
}
