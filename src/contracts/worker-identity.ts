/** A worker process, as Temporal has it with each attempt: `4711@builder-1#5f3a9c21.88123`, and before the `#` what people read. */
export interface WorkerIdentity {
  pid: number;
  host: string;
  /** Within which the process id means anything (`worker/identity.ts`). */
  space: string;
  /** When the kernel started the process, in its own ticks: another process with the same id has another one. */
  born: string;
}

export function identityOfWorker({ pid, host, space, born }: WorkerIdentity): string {
  return `${String(pid)}@${host}#${space}.${born}`;
}

/** Of any text: what is not in it is empty, and 0 for the process id. */
export function partsOfIdentity(identity: string): WorkerIdentity {
  const [, pid = '0', host = '', space = '', born = ''] = PATTERN.exec(identity) ?? [];
  return { pid: Number(pid), host, space, born };
}

/** Process and host, for people. Other clients' identities are as they are. */
export function workerName(identity: string): string {
  return PATTERN.test(identity) ? identity.slice(0, identity.lastIndexOf('#')) : identity;
}

const PATTERN = /^(\d{1,10})@(.*)#([\da-f]*)\.(\d*)$/;
