import type Docker from 'dockerode';
import type { EngineSettings } from '../engine.js';
import { matchesAny } from './allowed.js';

/**
 * How our containers are bounded, from the engine's settings. The log driver is `local`: unlike `json-file` it keeps every byte,
 * invalid UTF-8 too; and it must not rotate, because rotation loses bytes.
 */
export const STEP_LOG: Docker.HostConfig['LogConfig'] = {
  Type: 'local',
  Config: { 'max-size': '1000g', 'max-file': '1', compress: 'false' },
};

export interface ContainerFacts {
  kind: 'build' | 'helper' | 'service';
  /** The image's name as the job gives it; rules of the operator may depend on it. */
  image: string;
  /** The machine's volume, mounted at the builds directory unless the operator mounts something there. */
  builds?: { volume: string };
}

/** Common to build, helper and service containers. */
export function hostConfig(settings: EngineSettings, { kind, image, builds }: ContainerFacts): Docker.HostConfig {
  const service = kind === 'service';
  const { binds, mounts } = mountsOf(settings, builds);
  return {
    Binds: binds,
    Mounts: mounts,
    Privileged: isPrivileged(settings, kind, image),
    CapAdd: settings.capAdd,
    CapDrop: settings.capDrop,
    SecurityOpt: service ? (settings.servicesSecurityOpt ?? settings.securityOpt) : settings.securityOpt,
    Devices: service ? [] : settings.devices.map(toDevice),
    DeviceCgroupRules: service ? [] : settings.deviceCgroupRules,
    GroupAdd: settings.groupAdd,
    VolumesFrom: settings.volumesFrom,
    Tmpfs: settings.tmpfs,
    Ulimits: Object.entries(settings.ulimits).map(([Name, value]) => ({ Name, Soft: value, Hard: value })),
    RestartPolicy: { Name: 'no' },
    ...defined({
      ...limitsOf(settings, service),
      ShmSize: settings.shmSizeBytes,
      Runtime: settings.runtime,
      UsernsMode: settings.usernsMode,
      CgroupParent: settings.cgroupParent,
      OomKillDisable: settings.oomKillDisable ? true : undefined,
      OomScoreAdj: settings.oomScoreAdjust,
      IpcMode: settings.ipcMode,
      PidMode: kind === 'build' ? settings.pidMode : undefined,
      DeviceRequests: kind === 'build' ? gpuRequest(settings.gpus) : undefined,
    }),
  };
}

/** Never the helper, which is ours and needs nothing of it. */
function isPrivileged(settings: EngineSettings, kind: ContainerFacts['kind'], image: string): boolean {
  if (kind === 'helper') return false;
  const [wanted, only] =
    kind === 'service'
      ? [settings.servicesPrivileged, settings.allowedPrivilegedServices]
      : [settings.privileged, settings.allowedPrivilegedImages];
  return wanted && (only.length === 0 || matchesAny(image, only));
}

function limitsOf(settings: EngineSettings, service: boolean) {
  const cpus = service ? settings.serviceCpus : settings.cpus;
  return {
    Memory: service ? settings.serviceMemoryBytes : settings.memoryBytes,
    MemorySwap: service ? settings.serviceMemorySwapBytes : settings.memorySwapBytes,
    MemoryReservation: service ? settings.serviceMemoryReservationBytes : settings.memoryReservationBytes,
    NanoCpus: cpus === undefined ? undefined : Math.round(cpus * 1e9),
    CpusetCpus: (service ? settings.serviceCpusetCpus : undefined) ?? settings.cpusetCpus,
    CpusetMems: settings.cpusetMems,
    CpuShares: service ? settings.serviceCpuShares : settings.cpuShares,
  };
}

function gpuRequest(gpus: string | undefined): Docker.DeviceRequest[] | undefined {
  if (gpus === undefined) return undefined;
  return [{ Count: gpus === 'all' ? -1 : Number(gpus), Capabilities: [['gpu']] }];
}

function mountsOf(
  settings: EngineSettings,
  builds: { volume: string } | undefined,
): { binds: string[]; mounts: Docker.MountSettings[] } {
  const { binds, volumes } = splitVolumes(settings.volumes);
  const mounts = volumes.map((target) => volumeMount(settings, '', target));
  const mounted = new Set([...binds.map((bind) => bind.split(':')[1]), ...volumes]);
  if (builds !== undefined && !mounted.has(settings.buildsDirectory))
    mounts.push(volumeMount(settings, builds.volume, settings.buildsDirectory));
  return { binds, mounts };
}

/** Not filled with what the image has at the place: that would cost time and be of no use. */
export function volumeMount(
  settings: EngineSettings,
  name: string,
  target: string,
  labels: Record<string, string> = {},
): Docker.MountSettings {
  return {
    Type: 'volume',
    Source: name,
    Target: target,
    VolumeOptions: {
      NoCopy: name !== '',
      Labels: labels,
      DriverConfig: { Name: settings.volumeDriver ?? 'local', Options: {} },
    },
  };
}

/** `/cache` alone is a volume of the machine's own; `host:container[:mode]` is a bind, as in `docker run -v`. */
function splitVolumes(volumes: string[]): { binds: string[]; volumes: string[] } {
  return {
    binds: volumes.filter((volume) => volume.includes(':')),
    volumes: volumes.filter((volume) => !volume.includes(':')),
  };
}

/** `host[:container[:permissions]]`, as in `docker run --device`. */
function toDevice(device: string) {
  const [host = '', container = host, permissions = 'rwm'] = device.split(':');
  return { PathOnHost: host, PathInContainer: container, CgroupPermissions: permissions };
}

function defined<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
