import { z } from 'zod';
import { DEFAULT_POOL, DEFAULT_TASK_QUEUE } from '../contracts/names.js';
import { LOG_LEVELS } from '../telemetry/logger.js';
import { DockerAddress, Engine } from './engine-settings.js';
import { isLoopbackHost } from './loopback.js';
import { Metrics } from './metrics-settings.js';
import { Address, duration, Name, Size, Text, Url } from './setting-types.js';

/**
 * The configuration, every default and every bound: here, and for the two long sections in `engine-settings.ts` and
 * `metrics-settings.ts`. Nothing else writes a default.
 */

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
    .describe('ends of jobs at once, and as many collections of metrics: all of them wait for others'),
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
