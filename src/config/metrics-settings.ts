import { z } from 'zod';
import { QUERY_PRESET_NAMES } from '../metrics/queries.js';
import { RULE_PRESET_NAMES } from '../metrics/rules.js';
import { AGGREGATES } from '../metrics/values.js';
import { duration, optionalDuration, Text, Url } from './setting-types.js';

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

export const Metrics = z.strictObject({
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
