import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  MachineError,
  type CallOptions,
  type Engine,
  type LogEvent,
  type MachineDescription,
  type MachineRequest,
  type MachineSummary,
  type StepExit,
} from '../../../src/machines/engine.js';

/** How long a step "runs", milliseconds. */
export const STEP_MS = 3_000;
/** What a step "prints". */
export const STEP_OUTPUT = 'no operation\n';

const LOOK_MS = 200;

/**
 * Machines that do nothing: a directory each in `machines`; a step is a file in `steps` that is made when it begins, and ends a
 * while later. Like the real ones they are not the worker's: what they are at is on the disk, and goes on whatever becomes of
 * workers. The files of steps stay, so that every step that ever ran can be counted.
 */
export function createNoOpEngine(settings: { name: string; capacity: number; directory: string }): Engine {
  const { name, capacity } = settings;
  const machines = join(settings.directory, 'machines');
  const steps = join(settings.directory, 'steps');
  for (const directory of [machines, steps]) mkdirSync(directory, { recursive: true });
  const of = (machine: string, ...rest: string[]) => join(machines, machine, ...rest);
  const live = () => readdirSync(machines);

  function describe(machine: string): MachineDescription | undefined {
    const request = read(of(machine, 'request.json')) as (MachineRequest & { createdAt: string }) | undefined;
    if (request === undefined) return undefined;
    return {
      machine,
      job: request.job,
      engine: name,
      image: { name: 'no-op', id: 'no-op' },
      services: [],
      notes: [],
      warm: false,
      createdAt: request.createdAt,
    };
  }

  /** One operation of the disk, so that a worker killed in the middle of it has begun the step or has not. */
  function begin(machine: string, step: string): void {
    try {
      writeFileSync(join(steps, `${machine}.${step}`), '', { flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }

  function startOf(machine: string, step: string): number | undefined {
    const made = statSync(join(steps, `${machine}.${step}`), { throwIfNoEntry: false })?.mtimeMs;
    return made === undefined ? undefined : Math.round(made);
  }

  async function end(machine: string, step: string, { signal }: CallOptions): Promise<number | undefined> {
    for (;;) {
      const startedAt = startOf(machine, step);
      if (startedAt === undefined && !existsSync(of(machine))) return undefined;
      if (startedAt !== undefined && Date.now() >= startedAt + STEP_MS) return startedAt + STEP_MS;
      await delay(LOOK_MS, undefined, { signal });
    }
  }

  async function runStep(machine: string, step: string, options: CallOptions): Promise<StepExit> {
    if (!existsSync(of(machine))) return { kind: 'lost', reason: 'its directory is gone' };
    begin(machine, step);
    const endedAt = await end(machine, step, options);
    if (endedAt === undefined) return { kind: 'lost', reason: 'its directory is gone' };
    return {
      kind: 'exited',
      exitCode: 0,
      oomKilled: false,
      startedAt: new Date(endedAt - STEP_MS).toISOString(),
      finishedAt: new Date(endedAt).toISOString(),
    };
  }

  async function* readLog(machine: string, step: string, options: CallOptions): AsyncGenerator<LogEvent> {
    const endedAt = await end(machine, step, options);
    if (endedAt === undefined) return;
    yield { kind: 'start', atMs: endedAt - STEP_MS };
    yield { kind: 'data', bytes: Buffer.from(STEP_OUTPUT) };
    yield { kind: 'end', atMs: endedAt };
  }

  function release(machine: string): void {
    rmSync(of(machine), { recursive: true, force: true });
  }

  return {
    name,
    capacity,
    metricsLabel: (machine) => ({ name: 'machine', value: machine }),
    networkOf: (machine) => machine,
    async acquire(request) {
      const known = describe(request.machine);
      if (known !== undefined) return known;
      const others = live().filter((machine) => machine !== request.machine);
      if (others.length >= capacity) throw new MachineError('ENGINE_FULL', 'All slots are leased', { retryable: true });
      mkdirSync(of(request.machine), { recursive: true });
      const kept = { machine: request.machine, job: request.job, createdAt: new Date().toISOString() };
      writeFileSync(of(request.machine, 'request.json'), JSON.stringify(kept));
      return await Promise.resolve(present(describe(request.machine)));
    },
    describe: (machine) => Promise.resolve(describe(machine)),
    release: (machine) => Promise.resolve(release(machine)),
    runStep: (machine, step, options) => runStep(machine, step.name, options),
    stopStep: () => Promise.resolve(),
    readLog,
    archive: () => Promise.resolve(undefined),
    extract: () => Promise.resolve(),
    openShell: () => Promise.reject(new MachineError('MACHINE_GONE', 'No shell here', { retryable: false })),
    freeSlots: () => Promise.resolve(capacity - live().length),
    provisionableSlots: () => {
      const begun = new Set(readdirSync(steps).map((file) => file.slice(0, file.indexOf('.'))));
      return Promise.resolve(capacity - live().filter((machine) => begun.has(machine)).length);
    },
    list: () =>
      Promise.resolve(
        live().flatMap((machine): MachineSummary[] => {
          const known = describe(machine);
          return known === undefined
            ? []
            : [{ machine, job: known.job, engine: name, createdAt: known.createdAt, containers: [] }];
        }),
      ),
    sample: () => Promise.resolve([]),
    keepWarm: () => Promise.resolve(),
    probe: () => Promise.resolve(),
    dropWarm: () => Promise.resolve(),
    async sweep({ isOpen }) {
      const removed: string[] = [];
      for (const machine of live()) {
        const job = describe(machine)?.job;
        if (job === undefined || (await isOpen(job))) continue;
        release(machine);
        removed.push(machine);
      }
      return { removed, unsettled: false };
    },
    ping: () => Promise.resolve({ version: 'no-op', apiVersion: 'no-op' }),
  };
}

/** Undefined: there is no such file, or none that is whole: its writer was killed. */
function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The machine went while it was made');
  return value;
}
