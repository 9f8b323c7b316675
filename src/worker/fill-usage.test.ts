import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keepRun } from '../metrics/usage-log.js';
import { openStore } from '../store/open-store.js';
import type { Store } from '../store/store.js';
import { createUsageMetrics } from '../telemetry/usage-metrics.js';
import { fillUsage } from './fill-usage.js';

let directory: string;
let store: Store;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-fill-usage-'));
  store = await openStore({ directory });
});
afterEach(() => rmSync(directory, { recursive: true }));

const run = {
  version: 1 as const,
  job: 'job/1',
  name: 'build',
  project: 'p',
  endedAtMs: 1,
  durationMs: 1,
  limits: { cpus: 1, memoryBytes: 1 },
  oomKills: 3,
};

it('what job names used is on the page again after a start', async () => {
  await keepRun(store, run, 5);
  const registry = new Registry();

  await fillUsage(store, createUsageMetrics(registry, 5), pino({ enabled: false }));

  expect(await registry.metrics()).toContain('holdfast_usage_oom_kills{project="p",job_name="build"} 3\n');
});

it('a store that cannot be read stops no worker', async () => {
  const broken: Store = { ...store, list: () => Promise.reject(new Error('the bucket is away')) };
  const lines: string[] = [];
  const logger = pino({}, { write: (line: string) => lines.push(line) });

  await fillUsage(broken, createUsageMetrics(new Registry(), 5), logger);

  expect(lines.join('')).toContain('the bucket is away');
});
