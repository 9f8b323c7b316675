import { z } from 'zod';
import { PULL_POLICIES } from '../contracts/job-spec.js';
import { DEFAULT_POOL } from '../contracts/names.js';
import { duration, List, Name, Size, SwapSize, Text } from './setting-types.js';

const PullPolicyList = z.preprocess(
  (value) => (typeof value === 'string' ? [value] : value),
  z.array(z.enum(PULL_POLICIES)).min(1),
);

export const DockerAddress = z.strictObject({
  host: z
    .string()
    .regex(/^(unix:\/\/\/|tcp:\/\/|https?:\/\/)/, { error: 'must begin with unix:/// or tcp://' })
    .default('unix:///var/run/docker.sock'),
  ca: Text.optional(),
  cert: Text.optional(),
  key: Text.optional(),
});

export const Engine = z
  .strictObject({
    name: Name.default('local'),
    docker: DockerAddress.prefault({}),
    capacity: z.int().min(1).max(1000).default(4).describe('jobs at once'),
    pools: z.array(Name).min(1).default([DEFAULT_POOL]),
    defaultImage: Text.default('debian:bookworm-slim'),
    helperImage: Text.default('alpine/git'),
    pullPolicy: PullPolicyList.default(['if-not-present']),
    allowedPullPolicies: PullPolicyList.optional(),
    volumes: List.describe('as in `docker run -v`, for build, helper and service containers'),
    allowedImages: List,
    allowedServices: List,
    allowedUsers: List,
    servicesLimit: z.int().min(-1).default(-1).describe('-1: no limit'),
    privileged: z.boolean().default(false),
    servicesPrivileged: z.boolean().default(false),
    capAdd: List,
    capDrop: List,
    securityOpt: List,
    memory: Size.optional(),
    memorySwap: SwapSize.optional().describe('memory and swap together; -1: no limit of swap'),
    memoryReservation: Size.optional(),
    cpus: z.number().positive().optional(),
    cpusetCpus: Text.optional(),
    cpusetMems: Text.optional(),
    cpuShares: z.int().positive().optional(),
    serviceMemory: Size.optional(),
    serviceMemorySwap: SwapSize.optional(),
    serviceMemoryReservation: Size.optional(),
    serviceCpus: z.number().positive().optional(),
    serviceCpusetCpus: Text.optional(),
    serviceCpuShares: z.int().positive().optional(),
    servicesSecurityOpt: List.optional().describe('default: securityOpt'),
    cgroupParent: Text.optional(),
    oomKillDisable: z.boolean().default(false),
    oomScoreAdjust: z.int().min(-1000).max(1000).optional(),
    groupAdd: List,
    ipcMode: Text.optional(),
    pidMode: Text.optional().describe('of build containers only'),
    gpus: z
      .string()
      .regex(/^(all|[1-9]\d*)$/, { error: 'must be "all" or a number of GPUs' })
      .optional(),
    deviceCgroupRules: List,
    volumesFrom: List,
    volumeDriver: Text.optional().describe('of the builds volume and of `volumes` without a host path'),
    disableEntrypointOverwrite: z.boolean().default(false).describe("a job's `entrypoint` is ignored, with a warning"),
    allowedPrivilegedImages: List.describe('with `privileged`: only these are; empty: all'),
    allowedPrivilegedServices: List,
    shmSize: Size.optional(),
    devices: List,
    extraHosts: List,
    dns: List,
    dnsSearch: List,
    sysctls: z.record(z.string(), z.string()).default({}),
    tmpfs: z.record(z.string(), z.string()).default({}),
    ulimits: z.record(z.string(), z.number()).default({}),
    runtime: Text.optional(),
    usernsMode: Text.optional(),
    user: Text.optional(),
    networkMode: Text.default('bridge'),
    containerLabels: z.record(z.string(), z.string()).default({}),
    buildsDirectory: z
      .string()
      .regex(/^\/[^:]*[^/:]$/, { error: 'must be an absolute path' })
      .default('/builds'),
    serviceWait: duration('30s').describe('how long a service may take to listen; 0s: nobody waits for it'),
    warm: z.int().min(0).max(50).default(1).describe('sandboxes kept ready'),
    metricsLabel: z.strictObject({ name: Text, value: Text }).default({ name: 'machine', value: '{machine}' }),
  })
  .transform(
    ({
      memory,
      memorySwap,
      memoryReservation,
      serviceMemory,
      serviceMemorySwap,
      serviceMemoryReservation,
      shmSize,
      serviceWait,
      allowedPullPolicies,
      ...rest
    }) => ({
      ...rest,
      serviceMemorySwapBytes: serviceMemorySwap,
      serviceMemoryReservationBytes: serviceMemoryReservation,
      memoryBytes: memory,
      memorySwapBytes: memorySwap,
      memoryReservationBytes: memoryReservation,
      serviceMemoryBytes: serviceMemory,
      shmSizeBytes: shmSize,
      serviceWaitMs: serviceWait,
      allowedPullPolicies: allowedPullPolicies ?? rest.pullPolicy,
    }),
  );
