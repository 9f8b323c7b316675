import type Docker from 'dockerode';
import type { EngineSettings } from '../engine.js';

/**
 * How our containers are bounded, from the engine's settings. The log driver is `local`: unlike `json-file` it keeps every byte,
 * invalid UTF-8 too; and it must not rotate, because rotation loses bytes.
 */
export const STEP_LOG: Docker.HostConfig['LogConfig'] = {
  Type: 'local',
  Config: { 'max-size': '1000g', 'max-file': '1', compress: 'false' },
};

/** Common to build and service containers; `builds` is the machine's volume. */
export function hostConfig(
  settings: EngineSettings,
  kind: 'build' | 'helper' | 'service',
  builds: { volume: string } | undefined,
): Docker.HostConfig {
  const service = kind === 'service';
  const memory = service ? settings.serviceMemoryBytes : settings.memoryBytes;
  const cpus = service ? settings.serviceCpus : settings.cpus;
  const { binds, volumes } = splitVolumes(settings.volumes);
  const mounts: Docker.MountSettings[] = volumes.map((target) => ({ Type: 'volume', Source: '', Target: target }));
  const mounted = new Set([...binds.map((bind) => bind.split(':')[1]), ...volumes]);
  if (builds !== undefined && !mounted.has(settings.buildsDirectory)) {
    mounts.push({
      Type: 'volume',
      Source: builds.volume,
      Target: settings.buildsDirectory,
      VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: 'local', Options: {} } },
    });
  }
  return {
    Binds: binds,
    Mounts: mounts,
    Privileged: kind !== 'helper' && (service ? settings.servicesPrivileged : settings.privileged),
    CapAdd: settings.capAdd,
    CapDrop: settings.capDrop,
    SecurityOpt: settings.securityOpt,
    Devices: service ? [] : settings.devices.map(toDevice),
    Tmpfs: settings.tmpfs,
    Ulimits: Object.entries(settings.ulimits).map(([Name, value]) => ({ Name, Soft: value, Hard: value })),
    RestartPolicy: { Name: 'no' },
    ...defined({
      Memory: memory,
      MemorySwap: service ? undefined : settings.memorySwapBytes,
      MemoryReservation: service ? undefined : settings.memoryReservationBytes,
      NanoCpus: cpus === undefined ? undefined : Math.round(cpus * 1e9),
      CpusetCpus: settings.cpusetCpus,
      CpuShares: settings.cpuShares,
      ShmSize: settings.shmSizeBytes,
      Runtime: settings.runtime,
      UsernsMode: settings.usernsMode,
    }),
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
