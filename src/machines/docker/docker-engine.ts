import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import type { Logger } from '../../telemetry/logger.js';
import {
  roleOfStep,
  type CallOptions,
  type Engine,
  type EngineSettings,
  type OwnedEngineSettings,
  type MachineRole,
} from '../engine.js';
import type { Installation } from '../installation.js';
import { createAges } from './ages.js';
import { acquireMachine, describeMachine } from './acquire.js';
import { createDockerClient, SILENCE_MS } from './client.js';
import { isNotFound, toMachineError } from './errors.js';
import { assertThere, openArchive } from './files.js';
import { listContainers, toMachines } from './inventory.js';
import { readStepLog } from './log-reader.js';
import { containerName, networkName } from './names.js';
import { releaseMachine } from './release.js';
import { createSampler } from './sampler.js';
import { dropWarm, freeSlots, keepWarm, probeSandbox } from './sandbox.js';
import { openShell } from './shell.js';
import { createStarts } from './starts.js';
import { runStep, stopStep } from './steps.js';
import { sweep } from './sweep.js';
import { createUnbegunMachines } from './unbegun.js';
import { unpackPlace } from './unpack-place.js';
import { directoriesArchive } from './wrapper.js';

/** Requests that answer at once on a healthy engine. */
const PROMPT_MS = 30_000;

/** A Docker engine as a place where machines run. All memory is on the engine itself: names, labels, markers. */
/** @param deps.installation whose machines it makes, sees and removes */
export function createDockerEngine(deps: {
  settings: EngineSettings;
  installation: Installation;
  logger: Logger;
  /** Unix milliseconds; for the age of what a sweep finds. */
  now?: () => number;
  /** The same by a clock that does not jump. */
  steadyNow?: () => number;
}): Engine {
  const { logger, now = Date.now, steadyNow = () => performance.now() } = deps;
  const settings: OwnedEngineSettings = { ...deps.settings, installation: deps.installation };
  const docker = createDockerClient(settings.docker, SILENCE_MS.call);
  const listening = createDockerClient(settings.docker, SILENCE_MS.pullOrLog);
  const isLocal = settings.docker.host.startsWith('unix://');
  const sampler = createSampler({ docker, settings, files: isLocal ? {} : undefined });

  function containerOf(machine: string, role: MachineRole): Docker.Container {
    return docker.getContainer(containerName(machine, role));
  }

  async function guarded<T>(doing: string, work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      throw toMachineError(error, doing);
    }
  }

  /** For calls that should not take long, whatever the engine does. */
  async function promptly<T>(doing: string, work: () => Promise<T>, { signal }: CallOptions): Promise<T> {
    const timeout = AbortSignal.timeout(PROMPT_MS);
    const limit = new Promise<never>((_, reject) => {
      timeout.addEventListener('abort', () => reject(new Error('the engine did not answer in 30 s')), { once: true });
    });
    return await guarded(doing, () => Promise.race([work(), limit]), signal);
  }

  const starts = createStarts();
  const never = new AbortController().signal;
  const ages = createAges({ wall: now, steady: steadyNow });
  const unbegun = createUnbegunMachines(() => performance.now());
  /** Two at once would make too many, and take the other's for leftovers. */
  let warming: Promise<void> = Promise.resolve();

  return {
    name: settings.name,
    capacity: settings.capacity,
    metricsLabel: (machine) => ({
      name: settings.metricsLabel.name,
      value: settings.metricsLabel.value.replaceAll('{machine}', machine),
    }),
    networkOf: networkName,
    acquire: (request, { signal }) =>
      guarded(
        'making the machine',
        () => acquireMachine({ docker, listening, settings, logger }, request, signal ?? never),
        signal,
      ),
    describe: (machine, options) =>
      promptly('looking at the machine', () => describeMachine(docker, settings, machine), options),
    release: (machine, { signal }) =>
      guarded('removing the machine', () => releaseMachine(docker, settings, machine), signal),
    runStep: (machine, step, { signal }) =>
      guarded(
        `running ${step.name}`,
        () => {
          const container = containerOf(machine, roleOfStep(step.name));
          return runStep(docker, container, step, signal ?? never, () => starts.started(container.id));
        },
        signal,
      ),
    stopStep: (machine, step, graceMs, { signal }) =>
      guarded(
        `stopping ${step}`,
        () => stopStep(containerOf(machine, roleOfStep(step)), step, graceMs, signal ?? never),
        signal,
      ),
    async *readLog(machine, step, { signal }) {
      try {
        const asked = containerOf(machine, roleOfStep(step));
        const listened = listening.getContainer(asked.id);
        yield* readStepLog({ asked, listened }, step, signal ?? never, starts);
      } catch (error) {
        signal?.throwIfAborted();
        throw toMachineError(error, `reading the output of ${step}`);
      }
    },
    archive: (machine, role, path, { signal }) =>
      guarded(`reading ${path}`, () => openArchive(containerOf(machine, role), path, signal), signal),
    extract: (machine, role, directory, tar, { signal }) =>
      guarded(
        `writing to ${directory}`,
        async () => {
          const { buildsDirectory } = settings;
          const container = containerOf(machine, role);
          await assertThere(container, signal);
          const place = await unpackPlace(docker, container, { directory, buildsDirectory });
          await extract(place, directory, tar, signal ?? never).catch(async (error: unknown) => {
            if (isNotFound(error)) await assertThere(place, signal);
            throw error;
          });
        },
        signal,
      ),
    openShell: (machine, request, { signal }) =>
      guarded(
        'opening a shell',
        () => {
          // Somebody may sit before it and think.
          const patient = createDockerClient(settings.docker);
          return openShell(patient, patient.getContainer(containerName(machine, 'build')), request);
        },
        signal,
      ),
    freeSlots: (options) =>
      promptly(
        'counting free slots',
        async () => freeSlots(settings, await listContainers(docker, settings)).length,
        options,
      ),
    provisionableSlots: (options) =>
      promptly(
        'counting slots to provision in',
        async () => {
          const containers = await listContainers(docker, settings);
          return freeSlots(settings, containers).length + unbegun.count(containers);
        },
        options,
      ),
    list: (options) =>
      promptly(
        'listing machines',
        async () => toMachines(settings.name, await listContainers(docker, settings)),
        options,
      ),
    sample: (options) => promptly('sampling machines', () => sampler.sample(), options),
    keepWarm: ({ signal }) => {
      warming = warming.catch(() => undefined).then(() => keepWarm(docker, settings, signal ?? never));
      return guarded('making warm sandboxes', () => warming, signal);
    },
    dropWarm: ({ signal }) => guarded('removing warm sandboxes', () => dropWarm(docker, settings), signal),
    probe: ({ signal }) => guarded('making a sandbox to try', () => probeSandbox(docker, settings), signal),
    sweep: (jobs, { signal }) =>
      guarded('sweeping', () => sweep(docker, settings, jobs, ages, signal ?? never), signal),
    ping: (options) =>
      promptly(
        `reaching the engine at ${settings.docker.host}`,
        async () => {
          const version = await docker.version();
          return { version: version.Version, apiVersion: version.ApiVersion };
        },
        options,
      ),
  };
}

async function extract(
  container: Docker.Container,
  directory: string,
  tar: Readable,
  signal: AbortSignal,
): Promise<void> {
  // The client reads the stream and does not hear of its end by an error: the request would stay open for ever.
  const broken = new AbortController();
  const abortSignal = AbortSignal.any([broken.signal, signal]);
  let cause: Error | undefined;
  tar.once('error', (error) => {
    cause = error;
    broken.abort();
  });
  try {
    await container.putArchive(await directoriesArchive([directory]), { path: '/', abortSignal });
    await container.putArchive(tar, { path: directory, abortSignal });
  } catch (error) {
    throw cause ?? error;
  } finally {
    // Nobody else lets go of what it is read from.
    tar.destroy();
  }
}
