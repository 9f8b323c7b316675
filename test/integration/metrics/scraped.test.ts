import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { summarizeUsage } from '../../../src/metrics/usage.js';
import { createMachineMetrics } from '../../../src/telemetry/machine-metrics.js';
import { createWorkerMetrics } from '../../../src/telemetry/metrics.js';
import { createUsageMetrics } from '../../../src/telemetry/usage-metrics.js';
import { expressionsOfRules } from '../../support/prometheus/named-metrics.js';
import { createPrometheusServer, type PrometheusServer } from '../../support/prometheus/server.js';
import { until } from '../../support/processes.js';

/** What a Prometheus makes of a worker's page when it scrapes it as `deploy/prometheus/one-host.yml` says. */
let directory: string;
let page: Server;
let prometheus: PrometheusServer;
const metrics = createWorkerMetrics({ version: '1', revision: 'r' }, ['cpu_pegged']);
const usage = createUsageMetrics(metrics.registry, 5);
const machines = createMachineMetrics(metrics.registry);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-scraped-'));
  machines.add('hf-1', { cpuSeconds: 0 });
  const [build] = summarizeUsage([
    {
      version: 1,
      job: 'job/1',
      name: 'build',
      project: 'group/project',
      endedAtMs: 0,
      durationMs: 0,
      limits: { cpus: 2, memoryBytes: null },
      oomKills: 0,
      cpu: { peak: 1, p95: 1 },
    },
  ]);
  if (build !== undefined) usage.record(build);
  page = createServer((_request, response) => {
    void metrics.registry.metrics().then((text) => response.end(text));
  });
  await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
  const { port } = page.address() as AddressInfo;
  prometheus = await createPrometheusServer({
    directory,
    scrapeConfigs: [{ job_name: 'holdfast', static_configs: [{ targets: [`127.0.0.1:${String(port)}`] }] }],
  });
  await prometheus.start();
  await until('a first scrape', async () => (await ask('holdfast_version_info')).length > 0);
});
afterAll(async () => {
  await prometheus.stop();
  page.closeAllConnections();
  page.close();
  rmSync(directory, { recursive: true });
});

interface Sample {
  metric: Record<string, string>;
  value: [number, string];
}

async function ask(query: string): Promise<Sample[]> {
  const response = await fetch(`${prometheus.url}/api/v1/query?${new URLSearchParams({ query }).toString()}`);
  return ((await response.json()) as { data: { result: Sample[] } }).data.result;
}

describe('a scraped worker', () => {
  it('shows the first job of a flag, and the first failure of a reason, as an increase', async () => {
    metrics.flaggedJobs.inc({ flag: 'cpu_pegged' });
    metrics.failedJobsTotal.inc({ failure_reason: 'image_pull_failure', fault: 'provider' });

    const alert = expressionsOfRules('deploy/prometheus/alerts.yml').find((expr) => expr.includes('flagged_jobs'));
    await until('the alert of the flag', async () => (await ask(alert ?? '')).length > 0);
    expect((await ask(alert ?? '')).map(({ metric }) => metric)).toEqual([{ flag: 'cpu_pegged' }]);
    const failures = 'sum by (failure_reason) (increase(holdfast_failed_jobs_total[1h])) > 0';
    expect((await ask(failures)).map(({ metric }) => metric)).toEqual([{ failure_reason: 'image_pull_failure' }]);
  });

  it('has no label that Prometheus must rename, since its own are called so', async () => {
    const samples = await ask('{__name__=~"holdfast_.+"}');

    expect(samples.length).toBeGreaterThan(20);
    expect(
      samples.flatMap(({ metric }) => Object.keys(metric)).filter((label) => label.startsWith('exported_')),
    ).toEqual([]);
    expect(await ask('holdfast_usage_cpu_peak_cores{project="group/project",job_name="build"}')).toHaveLength(1);
  });
});
