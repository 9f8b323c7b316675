import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrometheusClient } from '../../../src/metrics/prometheus-client.js';
import { MetricsDocument } from '../../../src/metrics/document.js';
import { readUsage } from '../../../src/metrics/usage-log.js';
import { createDockerClient } from '../../../src/machines/docker/client.js';
import { createSampler } from '../../../src/machines/docker/sampler.js';
import { readInstallation } from '../../../src/client/installation.js';
import { parseConfig } from '../../../src/config/load.js';
import { jobKeys } from '../../../src/store/keys.js';
import { until } from '../../support/processes.js';
import { createPrometheusServer } from '../../support/prometheus/server.js';
import { expressionsOfDashboard, expressionsOfRules, namesIn } from '../../support/prometheus/named-metrics.js';
import { docker } from '../../support/docker.js';
import { startStack, type Stack } from '../../support/stack.js';

const MIB = 1024 * 1024;
const NETWORK_BYTES = 30 * MIB;

let stack: Stack;
/** One sends a fixed number of bytes to whoever connects, the other takes what it is sent. */
let source: Server;
let sink: Server;

function listen(server: Server): Promise<Server> {
  return new Promise((resolve) => server.listen(0, '0.0.0.0', () => resolve(server)));
}

/** Where a container reaches a server of this process. */
function addressOf(server: Server): string {
  const [gateway = ''] = docker(
    'network',
    'inspect',
    'bridge',
    '--format',
    '{{range .IPAM.Config}}{{.Gateway}}{{end}}',
  );
  return `${gateway === '' ? '172.17.0.1' : gateway} ${String((server.address() as AddressInfo).port)}`;
}

beforeAll(async () => {
  source = await listen(
    createServer((socket) => void socket.on('error', () => undefined).end(Buffer.alloc(NETWORK_BYTES))),
  );
  sink = await listen(createServer((socket) => void socket.on('error', () => undefined).resume()));
  stack = await startStack({
    // A scrape must be over before the next one begins: on a busy machine a second is not enough.
    scrapeInterval: '2s',
    engine: { capacity: 4, cpus: 1, memory: '512m', memorySwap: '512m' },
    metrics: {
      step: '2s',
      rules: [
        // How much of a core a burn gets is a matter of what else the host does: met in any case, for its value.
        { preset: 'cpu_pegged', longerThan: '5s', threshold: -1 },
        {
          name: 'busy',
          query: 'rate(holdfast_machine_cpu_seconds_total{{selector}}[{window}])',
          threshold: 0.15,
          longerThan: '5s',
        },
        { name: 'never', query: 'vector(0)', threshold: 1 },
      ],
    },
  });
});
afterAll(async () => {
  await stack?.close();
  source?.close();
  sink?.close();
});

async function measure(name: string, ...script: string[]): Promise<{ document: MetricsDocument; workflowId: string }> {
  const job = await stack.client.startJob({ name, script });
  await job.result();
  await until(`metrics of ${name}`, async () => (await job.status()).metrics !== 'pending', 60_000);
  expect(await job.status()).toMatchObject({ metrics: 'uploaded' });
  const kept = await stack.client.store.read(jobKeys.metrics(job.workflowId));
  return { document: MetricsDocument.parse(JSON.parse(kept!.toString('utf8'))), workflowId: job.workflowId };
}

function peakOf({ document }: { document: MetricsDocument }, query: string): number {
  return Math.max(
    ...document.series.filter((s) => s.query === query).flatMap(({ values }) => values.map(([, v]) => Number(v))),
  );
}

function areaOf({ document }: { document: MetricsDocument }, query: string): number {
  const values = document.series.filter((s) => s.query === query).flatMap((s) => s.values.map(([, v]) => Number(v)));
  return (values.reduce((sum, value) => sum + value, 0) * document.stepMs) / 1000;
}

/** Burns CPU time, however long that takes on a busy machine: the shell looks at the kernel's exact count of its own. */
function burn(seconds: number): string {
  const some = 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done';
  return `while read ran rest < /proc/self/schedstat; [ "$ran" -lt ${String(seconds)}000000000 ]; do ${some}; done`;
}

describe('a known load', () => {
  it('of 10 CPU seconds is shown as 10 ± 1, sets its flag, and is the graph of one core at most', async () => {
    // Its machine stays for a last sample, as those below.
    const measured = await measure('burn', burn(10), 'sleep 5');

    expect(Math.abs(measured.document.totals!.cpuSeconds! - 10)).toBeLessThanOrEqual(1);
    expect(Math.abs(areaOf(measured, 'cpu') - 10)).toBeLessThanOrEqual(1);
    expect(measured.document.computedUntilMs).toBeLessThan(measured.document.window.endMs);
    expect(peakOf(measured, 'cpu')).toBeLessThanOrEqual(1.2);
    expect(measured.document.flags).toMatchObject([
      { name: 'cpu_pegged', value: expect.toSatisfy((part: number) => part >= 0 && part <= 1) },
      { name: 'busy', threshold: 0.15 },
    ]);
    expect(measured.document.stages.map(({ name }) => name)).toEqual(['prepare_executor', 'step_script']);
    await until('the flag', async () => (await stack.client.listJobs({ flag: 'busy' })).length === 1);
    expect((await stack.client.listJobs({ flag: 'busy' }))[0]?.workflowId).toBe(measured.workflowId);
    expect(await stack.client.listJobs({ flag: 'never' })).toEqual([]);
    expect(await metricsPage()).toContain('holdfast_flagged_jobs_total{flag="busy"} 1');
  });

  it('of 300 MiB held is shown within 5 %', async () => {
    // dd holds its buffer for as long as nobody reads the pipe.
    const measured = await measure(
      'hold',
      `dd if=/dev/zero bs=${String(300 * MIB)} count=1 | (sleep 6; cat > /dev/null)`,
    );

    expect(peakOf(measured, 'memory')).toBeGreaterThan(300 * MIB * 0.95);
    expect(peakOf(measured, 'memory')).toBeLessThan(300 * MIB * 1.05);
    expect(measured.document.limits).toEqual({ cpus: 1, memoryBytes: 512 * MIB });
  });

  it('of 30 MiB received and 30 MiB sent is shown within 10 %', async () => {
    const measured = await measure(
      'talk',
      `nc ${addressOf(source)} < /dev/null > /dev/null`,
      // Kept open for a moment.
      `(dd if=/dev/zero bs=${String(MIB)} count=30 2>/dev/null; sleep 5) | nc ${addressOf(sink)}`,
    );
    const { networkReceiveBytes, networkTransmitBytes } = measured.document.totals!;

    for (const bytes of [networkReceiveBytes!, networkTransmitBytes!]) {
      expect(bytes).toBeGreaterThan(NETWORK_BYTES * 0.9);
      expect(bytes).toBeLessThan(NETWORK_BYTES * 1.1);
    }
  });

  it('of 40 MiB written and read past the page cache is shown within 10 %', async () => {
    const measured = await measure(
      'write',
      'dd if=/dev/zero of=/builds/file bs=1048576 count=40 oflag=direct',
      'dd if=/builds/file of=/dev/null bs=1048576 iflag=direct',
      'sleep 5',
    );
    const { diskReadBytes, diskWrittenBytes } = measured.document.totals!;

    for (const bytes of [diskReadBytes!, diskWrittenBytes!]) {
      expect(bytes).toBeGreaterThan(40 * MIB * 0.9);
      expect(bytes).toBeLessThan(40 * MIB * 1.1);
    }
  });

  it('that is too much for its memory is an out-of-memory kill in the usage of its name', async () => {
    const job = await stack.client.startJob({
      name: 'greedy',
      script: [`dd if=/dev/zero of=/dev/null bs=${String(700 * MIB)} count=1`],
    });
    expect(await job.result()).toMatchObject({ state: 'failed' });
    await until('the usage', async () => (await readUsage(stack.client.store)).some(({ name }) => name === 'greedy'));

    const [usage] = (await readUsage(stack.client.store)).filter(({ name }) => name === 'greedy');

    expect(usage).toMatchObject({
      runs: 1,
      oomKills: 1,
      advice: expect.stringContaining('out of memory once with 512.0 MiB'),
    });
  });

  it('is what the usage of its name says, on the command line and as metrics', async () => {
    const usage = await readUsage(stack.client.store);
    const burn = usage.find(({ name }) => name === 'burn')!;

    expect(burn).toMatchObject({ runs: 1, limits: { cpus: 1, memoryBytes: 512 * MIB }, oomKills: 0 });
    expect(burn.cpu!.peak).toBeGreaterThan(0.2);
    expect(burn.throttledSeconds).not.toBeNull();
    const said = execFileSync('bin/holdfast', ['usage', '--json', '--config', stack.configFile], { encoding: 'utf8' });
    expect(JSON.parse(said)).toEqual(usage);
    expect(await metricsPage()).toMatch(/^holdfast_usage_cpu_peak_cores\{project="[^"]*",job_name="burn"\} \d/m);
  });
});

describe('/metrics', () => {
  it('has every metric that the dashboards, the alerts and the contract name', async () => {
    const page = await metricsPage();
    const served = new Set([...page.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));
    const expressions = [
      ...['holdfast-fleet', 'holdfast-job'].flatMap((name) => expressionsOfDashboard(`deploy/grafana/${name}.json`)),
      ...expressionsOfRules('deploy/prometheus/alerts.yml'),
    ];
    const named = [...new Set(expressions.flatMap(namesIn))].map((name) =>
      served.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ''),
    );

    expect(named.length).toBeGreaterThan(25);
    expect(named.filter((name) => !served.has(name))).toEqual([]);
    expect(CONTRACT.filter((name) => !served.has(name))).toEqual([]);
  });
});

/** The names of docs/metrics.md that other people's dashboards may rely on. */
const CONTRACT = [
  'jobs',
  'jobs_total',
  'failed_jobs_total',
  'job_duration_seconds',
  'job_queue_duration_seconds',
  'job_stage_duration_seconds',
  'capacity',
  'machines',
  'api_request_statuses_total',
  'trace_bytes_total',
  'trace_upload_lag_seconds',
  'metrics_collections_total',
  'version_info',
  'machine_cpu_seconds_total',
  'machine_memory_bytes',
  'machine_network_receive_bytes_total',
  'machine_network_transmit_bytes_total',
  'machine_disk_read_bytes_total',
  'machine_disk_written_bytes_total',
].map((name) => `holdfast_${name}`);

describe('the kernel’s files and the engine’s API', () => {
  it('say the same of a container', async () => {
    const job = await stack.client.startJob({
      name: 'compare',
      script: [burn(1), 'sleep 60'],
    });
    const config = parseConfig({ engines: [{ name: stack.engine }] }, 'test');
    const settings = { ...config.engines[0]!, installation: await readInstallation(stack.client.temporal, config) };
    const docker_ = createDockerClient(settings.docker);
    const sample = async (files: object | undefined) =>
      (await createSampler({ docker: docker_, settings, files }).sample()).find((each) => each.job === job.workflowId);
    await until('half a second of CPU', async () => ((await sample({}))?.cpuSeconds ?? 0) > 0.9, 60_000);

    // One before and one after: what is read in between lies between them.
    const [before, between, after] = [await sample(undefined), await sample({}), await sample(undefined)];
    await job.cancel();
    await job.result();

    for (const field of ['cpuSeconds', 'networkReceiveBytes', 'networkTransmitBytes'] as const) {
      expect(between![field]).toBeGreaterThanOrEqual(before![field]);
      expect(between![field]).toBeLessThanOrEqual(after![field]);
    }
    expect(Math.abs(between!.memoryBytes - after!.memoryBytes)).toBeLessThan(5 * MIB);
    expect(between!.memoryLimitBytes).toBe(after!.memoryLimitBytes);
    expect(between!.memoryLimitBytes).toBe(512 * MIB);
    expect(between!.parts!.map(({ id }) => id).sort()).toEqual(after!.parts!.map(({ id }) => id).sort());
  });
});

describe('/sd/machines', () => {
  it('lets a real Prometheus find a machine that has just been made', async () => {
    const directory = mkdtempSync(join(stack.directory, 'sd-'));
    const server = await createPrometheusServer({
      directory,
      scrapeConfigs: [
        {
          job_name: 'holdfast-machines',
          http_sd_configs: [{ url: `${stack.metricsUrl}/sd/machines`, refresh_interval: '1s' }],
          relabel_configs: [{ source_labels: ['__meta_holdfast_engine'], target_label: 'engine' }],
        },
      ],
    });
    await server.start();
    const prometheus = createPrometheusClient({ url: server.url });
    const targets = async () =>
      (await (await fetch(`${stack.metricsUrl}/sd/machines`)).json()) as { labels: Record<string, string> }[];
    try {
      const job = await stack.client.startJob({ name: 'found', script: ['sleep 60'] });
      await until('a machine', async () => (await job.status()).machine !== null, 60_000);
      const machine = (await job.status()).machine!;
      const query = `holdfast_machine_cpu_seconds_total{job="holdfast-machines",instance="${machine}"}`;
      await until('samples of the machine', async () => (await prometheus.query(query)).length > 0, 60_000);

      const [series] = await prometheus.query(query);
      expect(series?.labels).toMatchObject({ machine, engine: stack.engine });
      expect(await prometheus.query(`up{instance="${machine}"} == 1`)).toHaveLength(1);
      const found = (await targets()).find(({ labels }) => labels['instance'] === machine);
      expect(found?.labels['__meta_holdfast_job']).toBe(job.workflowId);

      await job.cancel();
      await job.result();
    } finally {
      await prometheus.close();
      await server.stop();
      rmSync(directory, { recursive: true });
    }
  });
});

async function metricsPage(): Promise<string> {
  return await (await fetch(`${stack.metricsUrl}/metrics`)).text();
}
