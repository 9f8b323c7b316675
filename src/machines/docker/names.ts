/** Names and labels of everything we make on an engine. A name is a lock: Docker holds it unique. */

/** Which configured engine made it: several may share one daemon and must not touch each other's things. */
export const LABEL_ENGINE = 'holdfast.engine';
/** Id of the sandbox whose network a container has joined. */
export const LABEL_SANDBOX = 'holdfast.sandbox';
/** Name of the machine's volume, on its sandbox. */
export const LABEL_VOLUME = 'holdfast.volume';
/** Hash of the settings that shaped a sandbox: one of an older configuration is not used for a job. */
export const LABEL_SHAPE = 'holdfast.shape';
export const LABEL_NONCE = 'holdfast.nonce';

export type ContainerRole = 'build' | 'helper' | 'service' | 'sandbox';

export function slotName(engine: string, slot: number): string {
  return `holdfast-${engine}-slot-${String(slot)}`;
}

export function warmName(engine: string, random: string): string {
  return `holdfast-${engine}-warm-${random}`;
}

export function volumeName(engine: string, random: string): string {
  return `holdfast-${engine}-${random}`;
}

export function containerName(machine: string, role: string): string {
  return `holdfast-${machine}-${role}`;
}

export function networkName(machine: string): string {
  return `holdfast-${machine}`;
}

/** The slot that a container name leases, if it is a lease of this engine. */
export function slotOfName(engine: string, name: string): number | undefined {
  const prefix = slotName(engine, 0).slice(0, -1);
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^\d+$/.test(digits) ? Number(digits) : undefined;
}
