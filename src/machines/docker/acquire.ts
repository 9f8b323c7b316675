import type Docker from 'dockerode';
import { LABEL_JOB, LABEL_MACHINE, LABEL_ROLE } from '../../contracts/names.js';
import type { Logger } from '../../telemetry/logger.js';
import {
  MachineError,
  type OwnedEngineSettings,
  type MachineDescription,
  type MachineRequest,
  type MachineRole,
} from '../engine.js';
import { assertAllowed } from './allowed.js';
import { isConflict } from './errors.js';
import { hostConfig, STEP_LOG } from './host-config.js';
import { ensureImage, type ImageFacts, type ImageRequest } from './images.js';
import { containerName, LABEL_FIRST_STEP, LABEL_NONCE, LABEL_SANDBOX, ownerLabels } from './names.js';
import { releaseMachine } from './release.js';
import { claimSandbox, removeSandbox, type Sandbox } from './sandbox.js';
import { createJobNetwork, startServices, type ServiceOutcome } from './services.js';
import { inspect } from './inspect.js';
import { CONTAINER_COMMAND, containerFiles } from './wrapper.js';

interface Deps {
  docker: Docker;
  /** For pulls, which may be silent for long. */
  listening: Docker;
  settings: OwnedEngineSettings;
  logger: Logger;
}

/**
 * Make a machine. The build container is created last and is the commit point: while it is missing the machine does not exist,
 * and two attempts at once settle by its unique name.
 */
export async function acquireMachine(
  deps: Deps,
  request: MachineRequest,
  signal: AbortSignal,
): Promise<MachineDescription> {
  const { docker, listening, settings } = deps;
  const known = await describeMachine(docker, settings, request.machine);
  if (known !== undefined) return await completed(docker, request, known);

  const wanted = assertAllowed(settings, request);
  const auth = { credentials: request.credentials, dockerAuthConfig: request.dockerAuthConfig };
  const notes: string[] = [];
  // Build and services may have one image; what is said of it is said once.
  const note = (line: string) => {
    if (!notes.includes(line)) notes.push(line);
  };
  for (const warning of wanted.warnings) note(`WARNING: ${warning}`);
  const image = await ensureImage(listening, { ...wanted.image, auth, signal, note });
  const helper = await ensureHelper(listening, settings, { auth, signal });
  const serviceImages = [];
  for (const service of wanted.services) {
    serviceImages.push({
      request: service.request,
      image: await ensureImage(listening, { ...service.image, auth, signal, note }),
    });
  }

  const network = request.services.length > 0 ? await createJobNetwork(docker, settings, request) : undefined;
  const owner = { job: request.job, machine: request.machine };
  const sandbox = await claimSandbox(
    docker,
    settings,
    owner,
    network === undefined ? undefined : { name: network, aliases: ['build'] },
  );
  try {
    signal.throwIfAborted();
    const services =
      network === undefined
        ? []
        : await startServices({ docker, settings, request, network, services: serviceImages, signal, note });
    await allOrNone([
      sandbox.settle(),
      createJobContainers(deps, request, sandbox, {
        helper: { id: helper.id, name: helper.name },
        build: {
          id: image.id,
          name: image.name,
          ...(wanted.entrypoint === undefined ? {} : { entrypoint: wanted.entrypoint }),
          ...(wanted.user === undefined ? {} : { user: wanted.user }),
        },
      }),
    ]);
    return describe(settings, request, sandbox, image, helper, services, notes);
  } catch (error) {
    return await settleRace(deps, request, sandbox, error);
  }
}

/** No job names this image: an engine that cannot get it serves none. */
async function ensureHelper(
  listening: Docker,
  settings: OwnedEngineSettings,
  { auth, signal }: Pick<ImageRequest, 'auth' | 'signal'>,
): Promise<ImageFacts> {
  try {
    return await ensureImage(listening, {
      name: settings.helperImage,
      policies: settings.pullPolicy.filter((policy) => policy !== 'always').concat('if-not-present'),
      auth,
      signal,
      note: () => undefined,
    });
  } catch (error) {
    if (!(error instanceof MachineError) || error.code === 'ENGINE_FAULT') throw error;
    const message = `The helper image of engine ${settings.name}: ${error.message}`;
    throw new MachineError('ENGINE_FAULT', message, { retryable: false, traceMessage: message, cause: error });
  }
}

/**
 * The build container is the commit point: where it exists, the machine does, whoever has made it (a worker that was only paused
 * meets the machine of its successor here, and must not take it away). Ours goes then, unless both share it; without a build
 * container everything goes, and the next attempt starts afresh.
 */
async function settleRace(
  deps: Deps,
  request: MachineRequest,
  sandbox: Sandbox,
  error: unknown,
): Promise<MachineDescription> {
  const { docker, settings } = deps;
  const build = await inspect(docker.getContainer(containerName(request.machine, 'build')));
  if (build?.Config.Labels[LABEL_SANDBOX] !== sandbox.id) await removeSandbox(docker, sandbox.id, sandbox.volume);
  if (build === undefined) await releaseMachine(docker, settings, request.machine);
  if (!isConflict(error)) throw error;
  const winner = build === undefined ? undefined : await describeMachine(docker, settings, request.machine);
  if (winner !== undefined) return await completed(docker, request, winner);
  throw new MachineError('ENGINE_FAULT', 'Two attempts to make the machine collided; the next one starts afresh', {
    retryable: true,
    cause: error,
  });
}

/** An attempt may have died between creating the container and filling it; the files are the same, so they are put again. */
async function completed(
  docker: Docker,
  request: MachineRequest,
  known: MachineDescription,
): Promise<MachineDescription> {
  for (const role of request.helper ? (['helper', 'build'] as const) : (['build'] as const)) {
    const container = docker.getContainer(containerName(request.machine, role));
    const info = await inspect(container);
    if (info?.State.Status === 'created') await putFiles(container, request, role);
  }
  return known;
}

/** What fails is thrown when nothing is under way any more: then it can be taken away again. */
async function allOrNone(works: Promise<void>[]): Promise<void> {
  const settled = await Promise.allSettled(works);
  for (const result of settled) if (result.status === 'rejected') throw result.reason;
}

interface ContainerImage {
  id: string;
  name: string;
  entrypoint?: string[];
  user?: string;
}

/** The build container is created last (it is the commit point), and filled beside the helper: see `completed`. */
async function createJobContainers(
  deps: Deps,
  request: MachineRequest,
  sandbox: Sandbox,
  images: Record<'helper' | 'build', ContainerImage>,
): Promise<void> {
  const helper = request.helper ? await createJobContainer(deps, request, 'helper', sandbox, images.helper) : undefined;
  await allOrNone([
    helper === undefined ? Promise.resolve() : putFiles(helper, request, 'helper'),
    createJobContainer(deps, request, 'build', sandbox, images.build).then((build) =>
      putFiles(build, request, 'build'),
    ),
  ]);
}

async function createJobContainer(
  { docker, settings }: Deps,
  request: MachineRequest,
  role: MachineRole,
  sandbox: Sandbox,
  image: ContainerImage,
): Promise<Docker.Container> {
  try {
    return await docker.createContainer(containerOptions(settings, request, role, sandbox, image));
  } catch (error) {
    const made = role === 'helper' && isConflict(error) ? await madeHelper(docker, request, sandbox) : undefined;
    if (made === undefined) throw error;
    return made;
  }
}

/**
 * The helper container of an attempt that died before it made the build container, or that makes it just now. One that has ever run is
 * no part of a machine that is yet to be made.
 */
async function madeHelper(
  docker: Docker,
  request: MachineRequest,
  sandbox: Sandbox,
): Promise<Docker.Container | undefined> {
  const info = await inspect(docker.getContainer(containerName(request.machine, 'helper')));
  const labels = info?.Config.Labels ?? {};
  const isOurs =
    info?.State.Status === 'created' &&
    labels[LABEL_MACHINE] === request.machine &&
    labels[LABEL_SANDBOX] === sandbox.id &&
    labels[LABEL_NONCE] === request.nonce;
  return isOurs ? docker.getContainer(info.Id) : undefined;
}

function containerOptions(
  settings: OwnedEngineSettings,
  request: MachineRequest,
  role: MachineRole,
  sandbox: Sandbox,
  image: ContainerImage,
): Docker.ContainerCreateOptions {
  const first = request.steps.find((step) => step.role === role);
  return {
    name: containerName(request.machine, role),
    Image: image.id,
    // The helper image's own entry point (git) is of no use; the user's is the user's business.
    ...(role === 'helper'
      ? { Entrypoint: [] }
      : image.entrypoint === undefined
        ? {}
        : { Entrypoint: image.entrypoint }),
    Cmd: CONTAINER_COMMAND,
    ...(role === 'helper' ? { User: '0' } : image.user === undefined ? {} : { User: image.user }),
    Labels: {
      ...settings.containerLabels,
      ...ownerLabels(settings),
      [LABEL_JOB]: request.job,
      [LABEL_MACHINE]: request.machine,
      [LABEL_ROLE]: role,
      [LABEL_SANDBOX]: sandbox.id,
      [LABEL_NONCE]: request.nonce,
      ...(first === undefined ? {} : { [LABEL_FIRST_STEP]: first.name }),
    },
    HostConfig: {
      ...hostConfig(settings, { kind: role, image: image.name, builds: { volume: sandbox.volume } }),
      NetworkMode: `container:${sandbox.id}`,
      LogConfig: STEP_LOG,
    },
  };
}

async function putFiles(container: Docker.Container, request: MachineRequest, role: MachineRole): Promise<void> {
  const files = await containerFiles({
    nonce: request.nonce,
    steps: request.steps.filter((step) => step.role === role),
    directories: [request.buildsDirectory, request.projectDirectory],
  });
  await container.putArchive(files, { path: '/' });
}

function describe(
  settings: OwnedEngineSettings,
  request: MachineRequest,
  sandbox: Sandbox,
  image: ImageFacts,
  helper: ImageFacts,
  services: ServiceOutcome[],
  notes: string[],
): MachineDescription {
  return {
    machine: request.machine,
    job: request.job,
    engine: settings.name,
    image: { name: image.name, id: image.id, ...(image.digest === undefined ? {} : { digest: image.digest }) },
    helperImage: { name: helper.name, id: helper.id },
    services,
    notes,
    warm: sandbox.warm,
    createdAt: new Date().toISOString(),
  };
}

/** From the engine alone: what an earlier attempt has made. */
export async function describeMachine(
  docker: Docker,
  settings: OwnedEngineSettings,
  machine: string,
): Promise<MachineDescription | undefined> {
  const info = await inspect(docker.getContainer(containerName(machine, 'build')));
  if (info === undefined) return undefined;
  return {
    machine,
    job: info.Config.Labels[LABEL_JOB] ?? '',
    engine: settings.name,
    image: { name: info.Config.Image, id: info.Image },
    services: [],
    notes: [],
    warm: false,
    createdAt: info.Created,
  };
}
