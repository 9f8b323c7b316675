import type { Readable, Writable } from 'node:stream';
import type { Installation } from './installation.js';
import type { ImageSpec, PullPolicy, RegistryCredential, ServiceSpec } from '../contracts/job-spec.js';

/**
 * A place where machines run. The first implementation is a Docker engine; a provider that makes a VM per job fits behind the
 * same door.
 *
 * Lifecycle of one machine: `acquire` → (`extract` | `runStep` | `readLog` | `archive`)* → `release`.
 * - Every method may be called again, by another process, at any moment, also while an earlier call still runs: the engine
 *   itself is the only memory. Nothing here keeps state that matters in the process.
 * - `acquire` is idempotent by machine name; `release` is legal at any time and any number of times, even if `acquire` failed
 *   half-way or never ran.
 * - `runStep` runs a step's script **at most once** in the life of the machine (law 1 of docs/architecture.md).
 */
export interface Engine {
  readonly name: string;
  readonly capacity: number;
  /** What makes metrics work for any provider: the label by which Prometheus knows the machine. */
  metricsLabel(machine: string): { name: string; value: string };

  /** The network that a machine with services has for itself. */
  networkOf(machine: string): string;

  /** @throws MachineError with one of the codes of `MACHINE_ERROR_CODES` */
  acquire(request: MachineRequest, options: CallOptions): Promise<MachineDescription>;
  /** Undefined: no such machine (never made, released, or lost). */
  describe(machine: string, options: CallOptions): Promise<MachineDescription | undefined>;
  /** Removes everything that carries the machine's name: containers, volumes, network, lease. */
  release(machine: string, options: CallOptions): Promise<void>;

  /**
   * Start the step's script, or attach when it runs, or read its exit when it ended.
   * Never started → start; running → wait; ended → its result; started but gone → `lost`.
   */
  runStep(machine: string, step: StepRun, options: CallOptions): Promise<StepExit>;
  /**
   * End a step: SIGTERM to every process of the container but PID 1, after `graceMs` SIGKILL. A step that was not started yet
   * never will be (its `runStep` answers `stopped`). Returns when the container has stopped.
   */
  stopStep(machine: string, step: StepName, graceMs: number, options: CallOptions): Promise<void>;
  /** The bytes that the step printed, from its first one, live until its container stops. Same bytes at every call. */
  readLog(machine: string, step: StepName, options: CallOptions): AsyncIterable<LogEvent>;

  /**
   * A tar stream of a path of a (usually stopped) container; undefined when the path does not exist.
   * @throws MachineError MACHINE_GONE, not retryable, when there is no such container
   */
  archive(machine: string, role: MachineRole, path: string, options: CallOptions): Promise<Readable | undefined>;
  /**
   * Unpack a tar stream below a directory, which is made if missing.
   * @throws MachineError MACHINE_GONE, not retryable, when there is no such container
   */
  extract(machine: string, role: MachineRole, directory: string, tar: Readable, options: CallOptions): Promise<void>;

  /**
   * A shell in the build container, for a person.
   * @throws MachineError MACHINE_GONE when there is no such container, or it has stopped and is not to be woken
   */
  openShell(machine: string, request: ShellRequest, options: CallOptions): Promise<ShellSession>;

  /** Slots that no machine leases just now. */
  freeSlots(options: CallOptions): Promise<number>;
  /**
   * How many provisionings may go on at once: free slots, and those of machines in which nothing has run for a while, whose
   * provisioning was cut off and must be repeated to free them or to go on.
   */
  provisionableSlots(options: CallOptions): Promise<number>;
  /** Every live machine on this engine that is ours, warm sandboxes too. */
  list(options: CallOptions): Promise<MachineSummary[]>;
  /** Counters of the machines' containers for Prometheus, one entry a machine. */
  sample(options: CallOptions): Promise<MachineSample[]>;
  /** Bring the number of warm sandboxes to the configured one. */
  keepWarm(options: CallOptions): Promise<void>;
  /** Makes a sandbox and removes it: whether jobs can run here. @throws MachineError */
  probe(options: CallOptions): Promise<void>;
  /** Remove the warm sandboxes (clean stop of the engine's last worker). */
  dropWarm(options: CallOptions): Promise<void>;
  /** Removes what belongs to no open job, and halves of machines that their jobs have elsewhere. */
  sweep(jobs: OpenJobs, options: CallOptions): Promise<Swept>;
  /** Fast reachability probe. @throws MachineError ENGINE_UNREACHABLE */
  ping(options: CallOptions): Promise<{ version: string; apiVersion: string }>;
}

/** What a sweep asks about jobs. */
export interface OpenJobs {
  isOpen(job: string): Promise<boolean>;
  /**
   * The job has come further than to make this machine, and has another one, or none any more: what is half made of this one is
   * nobody's. False when that cannot be said.
   */
  isPast(job: string, place: { engine: string; machine: string }): Promise<boolean>;
}

export interface Swept {
  /** By name. */
  removed: string[];
  /** Something is half made, or too young to be taken for a leftover: the next sweep should come soon. */
  unsettled: boolean;
  /** What could not be removed now, and why; the rest was. Absent: nothing. */
  stuck?: { name: string; error: string }[];
}

export interface CallOptions {
  signal?: AbortSignal;
}

export type MachineRole = 'build' | 'helper';

/** Where a step's script runs: sources are fetched by the helper image, everything else is the user's image. */
export function roleOfStep(step: StepName): MachineRole {
  return step === 'get_sources' ? 'helper' : 'build';
}

export interface MachineRequest {
  /** Unique: derived from engine, workflow id and attempt by `machineName()`. */
  machine: string;
  /** Workflow id, for the labels. */
  job: string;
  /** Unguessable, durable (from the workflow): marks the borders of the steps in the container's log. */
  nonce: string;
  /** Already expanded. Absent: the engine's default image. */
  image?: ImageSpec;
  services: ServiceRequest[];
  /** Only a job with container steps in the `helper` role needs the helper container. */
  helper: boolean;
  /** In the order of their run. */
  steps: StepScript[];
  /** e.g. `/builds`; the machine's volume is mounted here. */
  buildsDirectory: string;
  /** Made (mode 0777) before the first step. */
  projectDirectory: string;
  /** Host name inside the machine. */
  hostname: string;
  credentials: RegistryCredential[];
  /** The job's `DOCKER_AUTH_CONFIG` (JSON text), which outranks `credentials`. */
  dockerAuthConfig?: string;
  serviceWaitMs: number;
  /** Values that must not show in `docker inspect` (service variables that hold one reach the service another way). */
  secrets: string[];
}

export interface ServiceRequest extends Omit<ServiceSpec, 'variables'> {
  /** What the service's container gets as environment, expanded. */
  environment: Record<string, string>;
}

/** `get_sources`, `step_script`, `after_script`, … */
export type StepName = string;

export interface StepScript {
  name: StepName;
  role: MachineRole;
  /** A whole shell program; reaches the container as a file, never as an argument or environment. */
  script: string;
}

export interface StepRun {
  name: StepName;
  /** Exported before the script, e.g. `CI_JOB_STATUS` of after_script. */
  environment: Record<string, string>;
}

export interface ShellRequest {
  /** Empty: the best shell that the image has. */
  command: readonly string[];
  /** Where it begins; the container's own place when this one does not exist. */
  directory: string;
  /** Start a stopped container once more. Only for a machine whose job runs no step any more. */
  wake: boolean;
  /** Absent: no terminal, output and errors apart. */
  terminal?: TerminalSize & { type: string };
}

export interface TerminalSize {
  columns: number;
  rows: number;
}

export interface ShellSession {
  input: Writable;
  /** Ends when the command does. */
  output: Readable;
  /** Absent with a terminal. */
  errors?: Readable;
  resize(size: TerminalSize): Promise<void>;
  /** After the end of `output`. */
  exitCode(): Promise<number>;
}

export type StepExit =
  /** `startedAt`, `finishedAt`: ISO 8601, the engine's clock. */
  | { kind: 'exited'; exitCode: number; oomKilled: boolean; startedAt: string; finishedAt: string }
  /** Ended by `stopStep`. */
  | { kind: 'stopped'; startedAt?: string; finishedAt?: string }
  /** The machine or its container is gone, or the engine killed it: whose fault is not the user's. `reason` is a sentence. */
  | { kind: 'lost'; reason: string };

export type LogEvent =
  /** `atMs`: unix milliseconds when the engine recorded it; the same at every reading. */
  { kind: 'start'; atMs: number } | { kind: 'data'; bytes: Buffer } | { kind: 'end'; atMs: number };

export interface MachineDescription {
  machine: string;
  job: string;
  engine: string;
  /** Image as named, its id and repo digest where known. */
  image: { name: string; id: string; digest?: string };
  helperImage?: { name: string; id: string };
  services: { name: string; aliases: string[]; image: string; ready: boolean; note?: string }[];
  /** Deterministic facts for the trace, one line each, e.g. which pull policy was effective. */
  notes: string[];
  /** The sandbox had been made before the job came. */
  warm: boolean;
  createdAt: string;
}

export interface MachineSummary {
  machine: string;
  /** Empty for a warm sandbox. */
  job: string;
  engine: string;
  createdAt: string;
  containers: { id: string; name: string; role: string; state: string; image: string }[];
}

export interface MachineSample {
  machine: string;
  job: string;
  atMs: number;
  cpuSeconds: number;
  memoryBytes: number;
  memoryLimitBytes?: number;
  throttledSeconds?: number;
  networkReceiveBytes: number;
  networkTransmitBytes: number;
  diskReadBytes: number;
  diskWrittenBytes: number;
  /**
   * The counters of each container behind the sums above. Whoever adds up over time needs them: in the sums, a container that
   * ends while another starts hides what the new one used. Absent: the machine counts as one.
   */
  parts?: readonly MachineCounters[];
}

/** Counters since the container's start. They begin anew when it is started again. */
export interface MachineCounters {
  /** Container id. */
  id: string;
  cpuSeconds: number;
  throttledSeconds?: number;
  networkReceiveBytes: number;
  networkTransmitBytes: number;
  diskReadBytes: number;
  diskWrittenBytes: number;
}

export const MACHINE_ERROR_CODES = {
  /** All slots are leased: try again later. */
  ENGINE_FULL: 'ENGINE_FULL',
  ENGINE_UNREACHABLE: 'ENGINE_UNREACHABLE',
  /** The engine answered with a fault of its own (5xx, disk full, …). */
  ENGINE_FAULT: 'ENGINE_FAULT',
  /** Not found, denied, manifest unknown: the user must act. */
  IMAGE_NOT_AVAILABLE: 'IMAGE_NOT_AVAILABLE',
  IMAGE_PULL_FAILED: 'IMAGE_PULL_FAILED',
  /** Registry not reachable: network-like. */
  REGISTRY_UNREACHABLE: 'REGISTRY_UNREACHABLE',
  /** Image, service, policy or user is not allowed here, or the engine refused the container's options. */
  NOT_ALLOWED: 'NOT_ALLOWED',
  BAD_OPTIONS: 'BAD_OPTIONS',
  MACHINE_GONE: 'MACHINE_GONE',
} as const;
export type MachineErrorCode = keyof typeof MACHINE_ERROR_CODES;

/** Everything an engine throws on purpose. `retryable`: the same call may succeed later. */
export class MachineError extends Error {
  override readonly name = 'MachineError';
  readonly code: MachineErrorCode;
  readonly retryable: boolean;
  /** What the job's trace may show. */
  readonly traceMessage: string | undefined;

  constructor(
    code: MachineErrorCode,
    message: string,
    options: { retryable: boolean; traceMessage?: string; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable;
    this.traceMessage = options.traceMessage;
  }
}

/** What an engine needs to know its own things by. */
export type OwnedEngineSettings = EngineSettings & { installation: Installation };

/** Settings of one Docker engine (configuration `engines[]`); every default is in `config/schema.ts`. */
export interface EngineSettings {
  name: string;
  docker: { host: string; ca?: string | undefined; cert?: string | undefined; key?: string | undefined };
  capacity: number;
  pools: string[];
  defaultImage: string;
  helperImage: string;
  pullPolicy: PullPolicy[];
  allowedPullPolicies: PullPolicy[];
  volumes: string[];
  allowedImages: string[];
  allowedServices: string[];
  allowedUsers: string[];
  servicesLimit: number;
  privileged: boolean;
  servicesPrivileged: boolean;
  capAdd: string[];
  capDrop: string[];
  securityOpt: string[];
  memoryBytes?: number | undefined;
  memorySwapBytes?: number | undefined;
  memoryReservationBytes?: number | undefined;
  cpus?: number | undefined;
  cpusetCpus?: string | undefined;
  cpusetMems?: string | undefined;
  cpuShares?: number | undefined;
  serviceMemoryBytes?: number | undefined;
  serviceMemorySwapBytes?: number | undefined;
  serviceMemoryReservationBytes?: number | undefined;
  serviceCpus?: number | undefined;
  serviceCpusetCpus?: string | undefined;
  serviceCpuShares?: number | undefined;
  servicesSecurityOpt?: string[] | undefined;
  cgroupParent?: string | undefined;
  oomKillDisable: boolean;
  oomScoreAdjust?: number | undefined;
  groupAdd: string[];
  ipcMode?: string | undefined;
  pidMode?: string | undefined;
  gpus?: string | undefined;
  deviceCgroupRules: string[];
  volumesFrom: string[];
  volumeDriver?: string | undefined;
  disableEntrypointOverwrite: boolean;
  allowedPrivilegedImages: string[];
  allowedPrivilegedServices: string[];
  shmSizeBytes?: number | undefined;
  devices: string[];
  extraHosts: string[];
  dns: string[];
  dnsSearch: string[];
  sysctls: Record<string, string>;
  tmpfs: Record<string, string>;
  ulimits: Record<string, number>;
  runtime?: string | undefined;
  usernsMode?: string | undefined;
  user?: string | undefined;
  networkMode: string;
  containerLabels: Record<string, string>;
  buildsDirectory: string;
  serviceWaitMs: number;
  warm: number;
  metricsLabel: { name: string; value: string };
}
