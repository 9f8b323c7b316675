import type { OwnedEngineSettings } from '../engine.js';

/** Names and labels of everything we make on an engine. A name is a lock: Docker holds it unique. */

/** Which configured engine made it: several may share one daemon and must not touch each other's things. */
export const LABEL_ENGINE = 'holdfast.engine';
/** Which Holdfast made it (`machines/installation.ts`). */
export const LABEL_INSTALLATION = 'holdfast.installation';
export const LABEL_ORIGIN = 'holdfast.origin';
/** Id of the sandbox whose network a container has joined. */
export const LABEL_SANDBOX = 'holdfast.sandbox';
/** Name of the machine's volume, on its sandbox. */
export const LABEL_VOLUME = 'holdfast.volume';
/** Hash of the settings that shaped a sandbox: one of an older configuration is not used for a job. */
export const LABEL_SHAPE = 'holdfast.shape';
/** On a lock: who holds it (`warm-lock.ts`). */
export const LABEL_HOLDER = 'holdfast.holder';
export const LABEL_NONCE = 'holdfast.nonce';
/** Name of the step that a container's first start runs. */
export const LABEL_FIRST_STEP = 'holdfast.first-step';

export type ContainerRole = 'build' | 'helper' | 'service' | 'sandbox';

type Owner = Pick<OwnedEngineSettings, 'name' | 'installation'>;

/** On everything that is made: whose it is. */
export function ownerLabels({ name, installation }: Owner): Record<string, string> {
  return { [LABEL_ENGINE]: name, [LABEL_INSTALLATION]: installation.id, [LABEL_ORIGIN]: installation.origin };
}

/** Finds what is ours. */
export function ownerFilter({ name, installation }: Owner): string[] {
  return [`${LABEL_ENGINE}=${name}`, `${LABEL_INSTALLATION}=${installation.id}`];
}

export function slotName(owner: Owner, slot: number): string {
  return `${prefix(owner)}-slot-${String(slot)}`;
}

export function warmName(owner: Owner, random: string): string {
  return `${prefix(owner)}-warm-${random}`;
}

export function volumeName(owner: Owner, random: string): string {
  return `${prefix(owner)}-${random}`;
}

function prefix({ name, installation }: Owner): string {
  return `holdfast-${name}-${installation.id}`;
}

export function containerName(machine: string, role: string): string {
  return `holdfast-${machine}-${role}`;
}

export function networkName(machine: string): string {
  return `holdfast-${machine}`;
}

/** The slot that a container name leases, if it is a lease of this engine. */
export function slotOfName(owner: Owner, name: string): number | undefined {
  const beginning = slotName(owner, 0).slice(0, -1);
  const digits = name.startsWith(beginning) ? name.slice(beginning.length) : '';
  return /^\d+$/.test(digits) ? Number(digits) : undefined;
}
