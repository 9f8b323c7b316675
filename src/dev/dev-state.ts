import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { endProcess, isAlive, recordOf, type ProcessRecord } from '../process-record.js';

/** Where a stack is reached. */
const DevAddresses = z.object({
  temporal: z.string(),
  temporalUi: z.string(),
  prometheus: z.string(),
  workerMetrics: z.string(),
  /** Where the job pages are. */
  web: z.string(),
  /** Configuration that a client uses to reach this stack. */
  configFile: z.string(),
});
export type DevAddresses = z.infer<typeof DevAddresses>;

/** Who runs "holdfast dev" on a state directory, and with which processes. */
const DevRecord = z.object({
  pid: z.int(),
  born: z.string(),
  /** Written once the stack is up. */
  addresses: DevAddresses.optional(),
  children: z.record(z.string(), z.object({ pid: z.int(), born: z.string() })).default({}),
});
type DevRecord = z.infer<typeof DevRecord>;

const FILE = 'dev.json';
/** Above the worker's own 10 s. */
const END_CHILD_AFTER_MS = 12_000;

export interface DevState {
  childStarted(name: string, pid: number): void;
  childEnded(name: string): void;
  ready(addresses: DevAddresses): void;
  /** Nothing of this stack runs any more. */
  unlock(): void;
}

/**
 * Takes the state directory for this process: two stacks on one would spoil it. What a killed `holdfast dev` has left running is
 * ended first; it would hold the ports and the database.
 * @throws Error naming the process that has it
 */
export async function lockState(stateDirectory: string, say: (text: string) => void): Promise<DevState> {
  const file = join(stateDirectory, FILE);
  await takeOver(file, stateDirectory, say);
  const record: DevRecord = { ...recordOf(process.pid), children: {} };
  try {
    writeFileSync(file, JSON.stringify(record), { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    throw new Error(`Another "holdfast dev" has just started on ${stateDirectory}`, { cause });
  }
  const save = () => {
    writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  };
  return {
    childStarted(name, pid) {
      record.children[name] = recordOf(pid);
      save();
    },
    childEnded(name) {
      record.children = Object.fromEntries(Object.entries(record.children).filter(([key]) => key !== name));
      save();
    },
    ready(addresses) {
      record.addresses = addresses;
      save();
    },
    unlock: () => rmSync(file, { force: true }),
  };
}

/** @returns the stack that runs in this directory, if there is one and it is up */
export function runningDev(cwd: string): DevAddresses | undefined {
  const record = readRecord(resolve(cwd, '.holdfast', FILE));
  if (record?.addresses === undefined || !existsSync(record.addresses.configFile) || !isAlive(record)) return undefined;
  return record.addresses;
}

async function takeOver(file: string, stateDirectory: string, say: (text: string) => void): Promise<void> {
  const record = readRecord(file);
  if (record !== undefined && isAlive(record))
    throw new Error(
      `"holdfast dev" is running already on ${stateDirectory} (process ${String(record.pid)}); --state DIRECTORY starts another one`,
    );
  // The worker first: it hands its jobs over to the server that is ended next.
  const left = Object.entries<ProcessRecord>(record?.children ?? {}).filter(([, child]) => isAlive(child));
  for (const [name, child] of left.reverse()) {
    say(`Ending ${name} (process ${String(child.pid)}), which an earlier "holdfast dev" has left behind`);
    await endProcess(child, END_CHILD_AFTER_MS);
  }
  rmSync(file, { force: true });
}

/** @returns undefined also for a file that a crash has cut: what it said is lost, and the ports will tell */
function readRecord(file: string): DevRecord | undefined {
  try {
    return DevRecord.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}
