import { z } from 'zod';
import { PULL_POLICIES } from '../contracts/job-spec.js';
import { DEFAULT_POOL, DEFAULT_TASK_QUEUE } from '../contracts/names.js';
import { parseDuration } from '../job/durations.js';
import { QUERY_PRESET_NAMES } from '../metrics/queries.js';
import { RULE_PRESET_NAMES } from '../metrics/rules.js';
import { AGGREGATES } from '../metrics/values.js';
import { LOG_LEVELS } from '../telemetry/logger.js';
import { isLoopbackHost } from './loopback.js';

/** The configuration, every default and every bound. The only place where a default is written. */

const Text = z.string().min(1, { error: 'must not be empty' });
const List = z.array(Text).default([]);

/** `5s`, `1h 30m`, seconds as a number; in milliseconds inside. */
function duration(fallback: string, bounds: { minMs?: number } = {}) {
  return z
    .union([z.string(), z.number()])
    .transform((value, context) => {
      const ms = parseDuration(String(value));
      if (ms !== undefined && ms >= (bounds.minMs ?? 0)) return ms;
      context.addIssue({
        code: 'custom',
        message: `must be a time such as "5s" or "1h"${bounds.minMs === undefined ? '' : `, at least ${String(bounds.minMs)} ms`}`,
      });
      return z.NEVER;
    })
    .prefault(fallback);
}

function optionalDuration() {
  return z
    .union([z.string(), z.number()])
    .transform((value, context) => {
      const ms = parseDuration(String(value));
      if (ms !== undefined) return ms;
      context.addIssue({ code: 'custom', message: 'must be a time such as "5s" or "1h"' });
      return z.NEVER;
    })
    .optional();
}

const UNITS: Record<string, number> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** `4MiB`, `512m`, `2GB`, bytes as a number; powers of 1024 as Docker reads them. */
function bytesOf(value: string | number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtb]?)(?:i?b)?$/i.exec(String(value).trim());
  const factor = UNITS[match?.[2]?.toLowerCase() ?? ''];
  return match === null || factor === undefined ? undefined : Math.round(Number(match[1]) * factor);
}

const Size = z.union([z.string(), z.number()]).transform((value, context) => {
  const bytes = bytesOf(value);
  if (bytes !== undefined) return bytes;
  context.addIssue({ code: 'custom', message: 'must be a size such as "512m" or "4MiB"' });
  return z.NEVER;
});

/** As a size, or -1 for as much as there is. */
const SwapSize = z.union([z.string(), z.number()]).transform((value, context) => {
  const bytes = String(value).trim() === '-1' ? -1 : bytesOf(value);
  if (bytes !== undefined) return bytes;
  context.addIssue({ code: 'custom', message: 'must be a size such as "512m" or "4MiB", or -1' });
  return z.NEVER;
});

const Address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, { error: 'must be host:port, e.g. 127.0.0.1:9252' })
  .refine((address) => Number(address.slice(address.lastIndexOf(':') + 1)) <= 65_535, {
    error: 'must have a port from 0 to 65535',
  });
const Url = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });
const Name = z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,40}$/, { error: 'must be a short lower-case name' });

const Temporal = z.strictObject({
  address: Address.default('127.0.0.1:7233').describe('host:port of the Temporal frontend'),
  namespace: Text.default('default'),
  taskQueue: Text.default(DEFAULT_TASK_QUEUE).describe(
    'control queue; the queues of engines and pools are named after it',
  ),
  tls: z
    .strictObject({ ca: Text.optional(), cert: Text.optional(), key: Text.optional(), serverName: Text.optional() })
    .optional()
    .describe("paths of PEM files; an empty mapping means TLS with the system's authorities"),
  apiKeyFile: Text.optional(),
});

const Store = z.union([
  z.strictObject({ directory: Text }),
  z.strictObject({
    s3: z.strictObject({
      endpoint: Url.optional(),
      bucket: Text,
      region: Text.default('us-east-1'),
      prefix: z.string().default(''),
      accessKeyId: Text.optional(),
      secretAccessKeyFile: Text.optional(),
    }),
  }),
]);

const PullPolicyList = z.preprocess(
  (value) => (typeof value === 'string' ? [value] : value),
  z.array(z.enum(PULL_POLICIES)).min(1),
);

const DockerAddress = z.strictObject({
  host: z
    .string()
    .regex(/^(unix:\/\/\/|tcp:\/\/|https?:\/\/)/, { error: 'must begin with unix:/// or tcp://' })
    .default('unix:///var/run/docker.sock'),
  ca: Text.optional(),
  cert: Text.optional(),
  key: Text.optional(),
});

const Engine = z
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

const Gitlab = z.strictObject({
  name: Name,
  url: Url,
  token: Text.optional(),
  tokenFile: Text.optional(),
  renewToken: z
    .boolean()
    .default(true)
    .describe(
      'a token in a tokenFile that expires is renewed at three quarters of its life; false where workers have copies of the file',
    ),
  limit: z.int().min(1).default(10).describe('jobs at once from this entry'),
  outputLimit: Size.prefault('4MiB'),
  pool: Name.default(DEFAULT_POOL),
  ca: Text.optional().describe("PEM file; default: the system's authorities"),
  cert: Text.optional().describe('PEM file of a client certificate, with its key in `key`'),
  key: Text.optional(),
  environment: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be a variable name' }), z.coerce.string())
    .default({})
    .describe("variables for this entry's jobs, which the job's own outrank"),
  cloneUrl: Url.optional().describe("replaces scheme and host of the repositories' addresses"),
  preGetSourcesScript: Text.optional().describe('shell lines in the helper container, before the sources'),
  postGetSourcesScript: Text.optional(),
  preBuildScript: Text.optional().describe("shell lines before and after a job's own, in the same shell"),
  postBuildScript: Text.optional(),
  giveUpAfter: duration('1h', { minMs: 1000 }).describe(
    'GitLab ends a job of which it has heard nothing for as long; then a finished one counts as undelivered',
  ),
});

const QueryName = z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_.-]{0,62}$/, {
  error: 'must be a short name of letters, digits, "_", "-" and "."',
});
const FlagName = z.string().regex(/^[a-z][a-z0-9_-]{0,40}$/, {
  error: 'must be a short name of small letters, digits, "_" and "-"',
});

/** Presets first: they alone have the key `preset`. */
const Rule = z.union(
  [
    z.strictObject({
      preset: z.enum(RULE_PRESET_NAMES),
      name: FlagName.optional(),
      threshold: z.number().optional(),
      longerThan: optionalDuration(),
    }),
    z.strictObject({ name: FlagName, query: Text, threshold: z.number(), longerThan: duration('0s') }),
  ],
  { error: `must have \`preset\` (${RULE_PRESET_NAMES.join(', ')}), or \`name\`, \`query\` and \`threshold\`` },
);

const Metrics = z.strictObject({
  enabled: z.boolean().default(true),
  prometheusUrl: Url.refine((url) => !URL.canParse(url) || !/@/.test(new URL(url).href.split('/')[2] ?? ''), {
    error: 'must not carry a user and a password: they go into metrics.basicAuth (username, passwordFile)',
  }).optional(),
  step: duration('5s', { minMs: 1000 }),
  grace: duration('2s').describe(
    "the most that the upload of metrics may delay a job's final status; 0s: they are not sent to GitLab",
  ),
  giveUpAfter: duration('24h', { minMs: 1000 }),
  scrapeWait: duration('15s').describe(
    'the least that is waited for the scrape that covers the end of the script; with slower scrapes their interval, at most 2 min',
  ),
  sampleInterval: duration('1s', { minMs: 200 }).describe(
    'how often the worker samples its machines; what a container uses after its last sample is not counted',
  ),
  preset: z
    .enum(QUERY_PRESET_NAMES)
    .optional()
    .describe(
      'built-in queries, by exporter; `queries` are added and outrank them. Default: `holdfast` where there are no `queries`',
    ),
  queries: z
    .record(QueryName, z.union([Text, z.strictObject({ promql: Text, aggregate: z.enum(AGGREGATES).optional() })]))
    .optional()
    .describe('name: PromQL with {selector} and {interval}, or {promql, aggregate}; without a preset only these'),
  aggregate: z.enum(AGGREGATES).default('sum').describe("how several series become one in GitLab's artifact"),
  rules: z.array(Rule).default([]).describe('flags for a person to look at (HoldfastFlags)'),
  maxQueries: z.int().min(1).max(1000).default(8).describe('questions to Prometheus at once, of one worker'),
  timeout: duration('30s', { minMs: 100 }).describe('the most that one question to Prometheus may take'),
  usageRuns: z.int().min(1).max(1000).default(20).describe('runs of each job name kept for `holdfast usage`'),
  usageSeries: z
    .int()
    .min(0)
    .max(10_000)
    .default(50)
    .describe('job names with gauges of their own on /metrics, the latest'),
  headers: z.record(Text, z.string()).default({}),
  bearerTokenFile: Text.optional(),
  basicAuth: z.strictObject({ username: Text, passwordFile: Text }).optional(),
  ca: Text.optional().describe("PEM file; default: the system's authorities"),
  cert: Text.optional().describe('PEM file of a client certificate, with its key in `key`'),
  key: Text.optional(),
});

/** Temporal's Worker Deployments: open jobs stay with the version of the worker that began them. */
const Versioning = z.strictObject({
  enabled: z.boolean().default(true),
  promote: z
    .boolean()
    .default(true)
    .describe('a worker makes its version the current one when it starts, unless that is a later release'),
  lookEvery: duration('5s', { minMs: 1000 }).describe('how often jobs of a version without workers are looked for'),
});

/** All the numbers of the worker process, with their reasons. */
const Worker = z.strictObject({
  /** SIGTERM: what is short may end by itself; long work is handed over at once. Contract: stopped within 10 s. */
  shutdownGrace: duration('5s'),
  /** Cancellation reaches an activity with a heartbeat, so this bounds its latency (promise: 3 s). */
  heartbeatThrottle: duration('1s', { minMs: 100 }),
  controlActivities: z
    .int()
    .min(1)
    .default(100)
    .describe('metrics, reports, ends of jobs at once: all of them wait for others'),
  workflowTasks: z.int().min(2).default(20),
  cachedWorkflows: z.int().min(0).default(200).describe('about 0.3 MB each'),
  /** Leftovers live no longer than one sweep. */
  sweepInterval: duration('60s', { minMs: 1000 }),
  poisonAfter: z
    .int()
    .min(0)
    .default(5)
    .describe(
      'failures in a row, or losses of machines, that take an engine out of rotation until it makes machines again; 0: never',
    ),
  versioning: Versioning.prefault({}),
});

/** `/encode` and `/decode` on the metrics server, for Temporal's UI and CLI. */
const Codec = z.strictObject({
  allowedOrigins: z.array(Url).default([]).describe('origins of Temporal UIs whose pages may ask the worker to decode'),
  tokenFile: Text.optional().describe('file with the bearer token that decoding takes (`temporal --codec-auth`)'),
  unprotected: z
    .boolean()
    .default(false)
    .describe('decode without a token although `metricsServer` is not on loopback: only where nobody else reaches it'),
});

const Web = z
  .strictObject({
    enabled: z.boolean().default(true),
    listenAddress: Address.default('127.0.0.1:8080'),
    tokenFile: Text.optional().describe('file with the token that readers give; needed when not on loopback'),
    temporalUiUrl: Url.optional().describe("Temporal's own pages, for a link from each job"),
  })
  .refine(
    ({ enabled, listenAddress, tokenFile }) =>
      !enabled || tokenFile !== undefined || isLoopbackHost(listenAddress.slice(0, listenAddress.lastIndexOf(':'))),
    {
      path: ['tokenFile'],
      error:
        'is needed, because web.listenAddress is not on loopback and the job pages show traces to whoever reaches them: name a file with a token of 16 characters or more, or listen on 127.0.0.1',
    },
  );

const Otlp = z.strictObject({
  endpoint: Url.describe(
    'of an OpenTelemetry collector, OTLP over HTTP, without /v1/traces, e.g. http://127.0.0.1:4318',
  ),
  headers: z.record(Text, z.string()).default({}),
  bearerTokenFile: Text.optional(),
  serviceName: Text.default('holdfast'),
});

const MetricsServer = z.strictObject({ listenAddress: Address.default('127.0.0.1:9252') });
const Log = z.strictObject({ level: z.enum(LOG_LEVELS).default('info') });

export const ConfigSchema = z.strictObject({
  temporal: Temporal.prefault({}),
  encryption: z.strictObject({ keyFile: Text.optional() }).prefault({}),
  store: Store.default({ directory: '.holdfast/store' }),
  metricsServer: MetricsServer.prefault({}),
  codec: Codec.prefault({}),
  web: Web.prefault({}),
  engines: z.array(Engine).min(1).prefault([{}]),
  gitlab: z.array(Gitlab).default([]),
  metrics: Metrics.prefault({}),
  worker: Worker.prefault({}),
  telemetry: z.strictObject({ otlp: Otlp.optional() }).prefault({}),
  log: Log.prefault({}),
});
export type Config = z.infer<typeof ConfigSchema>;

/** What each setting takes, to judge one by itself. */
export const SETTING_SCHEMAS = {
  engines: Engine.in.shape,
  'engines.docker': DockerAddress.shape,
  gitlab: Gitlab.shape,
  metrics: Metrics.shape,
  metricsServer: MetricsServer.shape,
  log: Log.shape,
} satisfies Record<string, Record<string, z.ZodType>>;

/** Keys by place, to name the nearest valid one. */
export const CONFIG_KEYS: Record<string, readonly string[]> = {
  '': Object.keys(ConfigSchema.shape),
  temporal: Object.keys(Temporal.shape),
  'temporal.tls': ['ca', 'cert', 'key', 'serverName'],
  encryption: ['keyFile'],
  store: ['directory', 's3'],
  metricsServer: Object.keys(MetricsServer.shape),
  web: Object.keys(Web.shape),
  codec: Object.keys(Codec.shape),
  engines: Object.keys(Engine.in.shape),
  'engines.docker': Object.keys(DockerAddress.shape),
  gitlab: Object.keys(Gitlab.shape),
  metrics: Object.keys(Metrics.shape),
  worker: Object.keys(Worker.shape),
  'worker.versioning': Object.keys(Versioning.shape),
  telemetry: ['otlp'],
  'telemetry.otlp': Object.keys(Otlp.shape),
  log: Object.keys(Log.shape),
};
