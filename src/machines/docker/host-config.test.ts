import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../config/load.js';
import type { EngineSettings } from '../engine.js';
import { hostConfig } from './host-config.js';

function settings(engine: object = {}): EngineSettings {
  return parseConfig({ engines: [{ name: 'e', ...engine }] }, 'test').engines[0]!;
}

const build = { kind: 'build', image: 'ruby:3', builds: { volume: 'v' } } as const;
const service = { kind: 'service', image: 'postgres:16' } as const;
const helper = { kind: 'helper', image: 'alpine/git', builds: { volume: 'v' } } as const;

describe('the bounds of a container', () => {
  it('are narrow by default: not privileged, no capabilities, no devices, no binds, no restart', () => {
    for (const facts of [build, service, helper]) {
      expect(hostConfig(settings(), facts)).toMatchObject({
        Privileged: false,
        CapAdd: [],
        Devices: [],
        Binds: [],
        RestartPolicy: { Name: 'no' },
      });
    }
  });

  it('are privileged where the operator says so, never for the helper, and only for listed images', () => {
    const open = settings({ privileged: true, servicesPrivileged: true });
    expect([build, service, helper].map((facts) => hostConfig(open, facts).Privileged)).toEqual([true, true, false]);

    const listed = settings({
      privileged: true,
      servicesPrivileged: true,
      allowedPrivilegedImages: ['docker:*'],
      allowedPrivilegedServices: ['docker:*-dind'],
    });
    expect(hostConfig(listed, build).Privileged).toBe(false);
    expect(hostConfig(listed, { ...build, image: 'docker:27' }).Privileged).toBe(true);
    expect(hostConfig(listed, service).Privileged).toBe(false);
    expect(hostConfig(listed, { ...service, image: 'docker:27-dind' }).Privileged).toBe(true);
  });

  it('hold memory and CPUs, for builds and services apart', () => {
    const limits = settings({
      memory: '512m',
      memorySwap: '1g',
      memoryReservation: '256m',
      cpus: 1.5,
      cpusetCpus: '0,1',
      cpusetMems: '0',
      cpuShares: 512,
      serviceMemory: '64m',
      serviceCpus: 0.5,
      serviceCpuShares: 100,
      serviceCpusetCpus: '1',
    });

    expect(hostConfig(limits, build)).toMatchObject({
      Memory: 512 * 1024 ** 2,
      MemorySwap: 1024 ** 3,
      MemoryReservation: 256 * 1024 ** 2,
      NanoCpus: 1_500_000_000,
      CpusetCpus: '0,1',
      CpusetMems: '0',
      CpuShares: 512,
    });
    const ofService = hostConfig(limits, service);
    expect(ofService).toMatchObject({ Memory: 64 * 1024 ** 2, NanoCpus: 5e8, CpusetCpus: '1', CpuShares: 100 });
    expect(ofService).not.toHaveProperty('MemorySwap');
    expect(hostConfig(settings({ memorySwap: '-1' }), build)).toMatchObject({ MemorySwap: -1 });
    expect(hostConfig(settings({ serviceMemorySwap: -1 }), service)).toMatchObject({ MemorySwap: -1 });
  });

  it('have capabilities, security options, groups and the rest as configured', () => {
    const given = settings({
      capAdd: ['NET_ADMIN'],
      capDrop: ['ALL'],
      securityOpt: ['no-new-privileges'],
      servicesSecurityOpt: ['apparmor=unconfined'],
      groupAdd: ['docker'],
      ipcMode: 'private',
      pidMode: 'host',
      cgroupParent: 'ci.slice',
      oomKillDisable: true,
      oomScoreAdjust: 500,
      gpus: 'all',
      deviceCgroupRules: ['c 189:* rmw'],
      devices: ['/dev/kvm', '/dev/net/tun:/dev/tun:r'],
      ulimits: { nofile: 1024 },
      tmpfs: { '/run': 'size=1m' },
    });

    expect(hostConfig(given, build)).toMatchObject({
      CapAdd: ['NET_ADMIN'],
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      GroupAdd: ['docker'],
      IpcMode: 'private',
      PidMode: 'host',
      CgroupParent: 'ci.slice',
      OomKillDisable: true,
      OomScoreAdj: 500,
      DeviceRequests: [{ Count: -1, Capabilities: [['gpu']] }],
      DeviceCgroupRules: ['c 189:* rmw'],
      Devices: [
        { PathOnHost: '/dev/kvm', PathInContainer: '/dev/kvm', CgroupPermissions: 'rwm' },
        { PathOnHost: '/dev/net/tun', PathInContainer: '/dev/tun', CgroupPermissions: 'r' },
      ],
      Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: 1024 }],
      Tmpfs: { '/run': 'size=1m' },
    });
    const ofService = hostConfig(given, service);
    expect(ofService).toMatchObject({ SecurityOpt: ['apparmor=unconfined'], Devices: [], DeviceCgroupRules: [] });
    expect(ofService).not.toHaveProperty('PidMode');
    expect(ofService).not.toHaveProperty('DeviceRequests');
  });

  it('have the builds volume, unless the operator mounts something there', () => {
    expect(hostConfig(settings(), build).Mounts).toMatchObject([{ Source: 'v', Target: '/builds' }]);
    expect(hostConfig(settings(), service).Mounts).toEqual([]);
    const own = hostConfig(settings({ volumes: ['/srv/builds:/builds', '/cache'] }), build);
    expect(own.Binds).toEqual(['/srv/builds:/builds']);
    expect(own.Mounts).toMatchObject([{ Source: '', Target: '/cache' }]);
  });
});
