import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { pack } from 'tar-stream';
import { LABEL_JOB, LABEL_MACHINE, LABEL_ROLE } from '../../contracts/names.js';
import type { OwnedEngineSettings, MachineDescription, MachineRequest, ServiceRequest } from '../engine.js';
import { ignoringGone, isConflict, startedAnyhow } from './errors.js';
import { hostConfig } from './host-config.js';
import type { ImageFacts } from './images.js';
import { containerName, networkName, ownerLabels } from './names.js';

export type ServiceOutcome = MachineDescription['services'][number];

interface ServiceStart {
  docker: Docker;
  settings: OwnedEngineSettings;
  request: MachineRequest;
  network: string;
  services: { request: ServiceRequest; image: ImageFacts }[];
  signal: AbortSignal;
  note(line: string): void;
}

/** Only a job with services pays for a network of its own. */
export async function createJobNetwork(
  docker: Docker,
  settings: OwnedEngineSettings,
  request: MachineRequest,
): Promise<string> {
  const name = networkName(request.machine);
  const existing = await docker.listNetworks({ filters: { name: [`^${name}$`] } });
  if (existing.length > 0) return name;
  await docker.createNetwork({ Name: name, Driver: 'bridge', CheckDuplicate: true, Labels: labels(settings, request) });
  return name;
}

export async function startServices(start: ServiceStart): Promise<ServiceOutcome[]> {
  return await Promise.all(start.services.map((service, index) => startService(start, service, index)));
}

async function startService(
  start: ServiceStart,
  service: { request: ServiceRequest; image: ImageFacts },
  index: number,
): Promise<ServiceOutcome> {
  const { docker, settings, request, network } = start;
  const aliases = serviceAliases(service.request);
  const name = containerName(request.machine, `service-${String(index)}`);
  start.note(`Starting service ${service.request.name}...`);
  const config = await docker.getImage(service.image.id).inspect();
  const secret = carriesSecret(service.request, request.secrets);
  const command = secret ? hiddenEnvironmentCommand(service.request, config.Config) : plainCommand(service.request);
  const container = await createOrFind(docker, {
    name,
    Image: service.image.id,
    ...command,
    Env: secret ? [] : Object.entries(service.request.environment).map(([key, value]) => `${key}=${value}`),
    ...(service.request.user === undefined ? {} : { User: service.request.user }),
    Labels: { ...settings.containerLabels, ...labels(settings, request), [LABEL_ROLE]: 'service' },
    HostConfig: { ...hostConfig(settings, { kind: 'service', image: service.request.name }), NetworkMode: network },
    NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: aliases } } },
  });
  if (secret) await container.putArchive(await environmentFile(service.request.environment), { path: '/' });
  await startedAnyhow(container.start());
  const ports = servicePorts(service.request, Object.keys(config.Config.ExposedPorts ?? {}));
  const readiness = await waitUntilReady(start, container, name, ports);
  if (readiness !== undefined)
    start.note(`WARNING: Service ${service.request.name} probably didn't start properly: ${readiness}`);
  return {
    name: service.request.name,
    aliases,
    image: service.image.id,
    ready: readiness === undefined,
    ...(readiness === undefined ? {} : { note: readiness }),
  };
}

/** `registry/group/image:tag` answers to `registry__group__image` and `registry-group-image`, and to what the job says. */
export function serviceAliases(service: Pick<ServiceRequest, 'name' | 'aliases'>): string[] {
  const path = service.name
    .replace(/@.*$/, '')
    .replace(/:[^:/]*$/, '')
    .replaceAll(':', '-');
  return [...new Set([path.replaceAll('/', '__'), path.replaceAll('/', '-'), ...service.aliases])];
}

function labels(settings: OwnedEngineSettings, request: MachineRequest): Record<string, string> {
  return { ...ownerLabels(settings), [LABEL_JOB]: request.job, [LABEL_MACHINE]: request.machine };
}

async function createOrFind(docker: Docker, options: Docker.ContainerCreateOptions): Promise<Docker.Container> {
  try {
    return await docker.createContainer(options);
  } catch (error) {
    if (isConflict(error) && options.name !== undefined) return docker.getContainer(options.name);
    throw error;
  }
}

function plainCommand(service: ServiceRequest): { Entrypoint?: string[]; Cmd?: string[] } {
  return {
    ...(service.entrypoint === undefined ? {} : { Entrypoint: service.entrypoint }),
    ...(service.command === undefined ? {} : { Cmd: service.command }),
  };
}

const ENVIRONMENT_FILE = '/.holdfast-environment';

function carriesSecret(service: ServiceRequest, secrets: string[]): boolean {
  return Object.values(service.environment).some((value) => secrets.some((secret) => value.includes(secret)));
}

/** `docker inspect` shows a container's environment; so one that holds a secret comes as a file, read by a shell before the start. */
function hiddenEnvironmentCommand(
  service: ServiceRequest,
  image: { Entrypoint?: string | string[] | null | undefined; Cmd?: string[] | null | undefined },
): { Entrypoint: string[]; Cmd: string[] } {
  const imageEntrypoint = typeof image.Entrypoint === 'string' ? [image.Entrypoint] : (image.Entrypoint ?? []);
  const entrypoint = (service.entrypoint ?? imageEntrypoint).filter((part) => part !== '');
  // As in Docker: an entry point that is given takes the image's command away.
  const command = service.command ?? (service.entrypoint === undefined ? (image.Cmd ?? []) : []);
  return {
    Entrypoint: ['sh', '-c', `. ${ENVIRONMENT_FILE}; exec "$@"`, 'service'],
    Cmd: [...entrypoint, ...command],
  };
}

async function environmentFile(environment: Record<string, string>): Promise<Buffer> {
  const tar = pack();
  const lines = Object.entries(environment).map(
    ([key, value]) => `export ${key}='${value.replaceAll("'", `'\\''`)}'\n`,
  );
  tar.entry({ name: ENVIRONMENT_FILE.slice(1), mode: 0o644 }, lines.join(''));
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** GitLab looks at 20 exposed ports at most; `HEALTHCHECK_TCP_PORT` forces one. */
function servicePorts(service: ServiceRequest, exposed: string[]): number[] {
  const forced = Number(service.environment['HEALTHCHECK_TCP_PORT']);
  if (Number.isInteger(forced) && forced > 0) return [forced];
  return exposed
    .filter((port) => port.endsWith('/tcp'))
    .map((port) => Number(port.split('/')[0]))
    .sort((a, b) => a - b)
    .slice(0, 20);
}

/**
 * A service is ready when it listens: the kernel's table of its network namespace says so, and a shell builtin can read it.
 * No connection is made, so nothing has to be in any image.
 * @returns why it is not ready, or undefined
 */
async function waitUntilReady(
  start: ServiceStart,
  service: Docker.Container,
  name: string,
  ports: number[],
): Promise<string | undefined> {
  const { docker, settings, request, signal } = start;
  if (request.serviceWaitMs === 0) return undefined;
  if (ports.length === 0) return 'the image exposes no TCP port, so nobody can tell when it is ready';
  const checker = await createOrFind(docker, {
    name: `${name}-wait`,
    Image: settings.helperImage,
    Entrypoint: ['sh', '-c'],
    Cmd: [listenScript(ports)],
    Labels: { ...labels(settings, request), [LABEL_ROLE]: 'helper' },
    HostConfig: { NetworkMode: `container:${service.id}`, LogConfig: { Type: 'none', Config: {} } },
  });
  try {
    await startChecker(checker, service);
    for (const deadline = performance.now() + request.serviceWaitMs; performance.now() < deadline;) {
      const [check, info] = await Promise.all([checker.inspect(), service.inspect()]);
      if (!info.State.Running)
        return `it has ended with exit code ${String(info.State.ExitCode)}\n${await lastWords(service)}`;
      if (check.State.Status === 'exited' && check.State.ExitCode === 0) return undefined;
      await delay(50, undefined, { signal });
    }
    return `no port of ${ports.join(', ')} was open after ${String(request.serviceWaitMs / 1000)} seconds\n${await lastWords(service)}`;
  } finally {
    await ignoringGone(checker.remove({ force: true }));
  }
}

/** A service that has ended has no network that could be joined: the engine says so, and the look at it says more. */
async function startChecker(checker: Docker.Container, service: Docker.Container): Promise<void> {
  try {
    await startedAnyhow(checker.start());
  } catch (error) {
    const { State } = await service.inspect();
    if (State.Running) throw error;
  }
}

/** `0A` is LISTEN; the second column is `address:port` in hexadecimal. Without `sleep` it would spin: then `read` times nothing. */
function listenScript(ports: number[]): string {
  const wanted = ports.map((port) => port.toString(16).toUpperCase().padStart(4, '0'));
  return `while :; do for f in /proc/net/tcp /proc/net/tcp6; do [ -r $f ] && while read -r n l r s x; do [ "$s" = 0A ] || continue; case "\${l##*:}" in ${wanted.join('|')}) exit 0;; esac; done <$f; done; sleep 0.1 2>/dev/null || sleep 1; done`;
}

const LAST_WORDS_BYTES = 64 * 1024;

async function lastWords(service: Docker.Container): Promise<string> {
  const log = await service.logs({ stdout: true, stderr: true, tail: 200 });
  const lines: string[] = [];
  for (let at = 0; at + 8 <= log.length;) {
    const end = at + 8 + log.readUInt32BE(at + 4);
    lines.push(log.toString('utf8', at + 8, end));
    at = end;
  }
  return lines.join('').slice(-LAST_WORDS_BYTES);
}
