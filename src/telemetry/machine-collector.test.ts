import { afterEach, describe, expect, it } from 'vitest';
import type { Engine, MachineSample } from '../machines/engine.js';
import { LATEST_SCRAPE_MS } from '../metrics/latest-scrape.js';
import { silentLogger } from './logger.js';
import { createMachineCollector, type MachineCollector } from './machine-collector.js';
import { createWorkerMetrics } from './metrics.js';
import { startMetricsServer, type MetricsServer } from './metrics-server.js';

const opened: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

/** Of the clock's 0. */
const UNIX_MS = 1_700_000_000_000;

function sampleOf(machine: string, cpuSeconds: number): MachineSample {
  const nothing = { networkReceiveBytes: 0, networkTransmitBytes: 0, diskReadBytes: 0, diskWrittenBytes: 0 };
  return { machine, job: `job/${machine}`, atMs: 0, cpuSeconds, memoryBytes: 1, ...nothing };
}

/** One engine whose machines a test sets, and a clock that it moves. */
function world(changes: Partial<Engine> = {}) {
  const state = { samples: [] as MachineSample[], nowMs: 0 };
  const engine = {
    name: 'local',
    capacity: 4,
    metricsLabel: (machine: string) => ({ name: 'machine', value: machine }),
    sample: () => Promise.resolve(state.samples),
    freeSlots: () => Promise.resolve(4 - state.samples.length),
    ...changes,
  } as Engine;
  const metrics = createWorkerMetrics({ version: '1', revision: 'r' });
  const collector = createMachineCollector({
    engines: [engine],
    metrics,
    logger: silentLogger,
    intervalMs: 20_000,
    now: () => state.nowMs,
    unixMs: () => UNIX_MS + state.nowMs,
  });
  opened.push({ close: () => collector.stop() });
  async function sampleAt(nowMs: number, ...samples: MachineSample[]): Promise<string> {
    Object.assign(state, { nowMs, samples });
    await collector.freshen(1000);
    return await metrics.registry.metrics();
  }
  return { collector, metrics, sampleAt };
}

/** Longer than half an interval, so that each look is a new sample. */
const LATER_MS = 11_000;

async function serve(
  collector: MachineCollector,
  metrics: ReturnType<typeof createWorkerMetrics>,
): Promise<MetricsServer> {
  const server = await startMetricsServer({ listenAddress: '127.0.0.1:0', metrics, collector, checks: {} });
  opened.push(server);
  return server;
}

describe('the machine collector', () => {
  it('counts on when a container was started again, and never back', async () => {
    const { sampleAt } = world();
    await sampleAt(LATER_MS); // the worker has been here before the machine

    expect(await sampleAt(2 * LATER_MS, sampleOf('hf-1', 5))).toContain('machine_cpu_seconds_total{machine="hf-1"} 5');
    expect(await sampleAt(3 * LATER_MS, sampleOf('hf-1', 2))).toContain('machine_cpu_seconds_total{machine="hf-1"} 7');
    expect(await sampleAt(4 * LATER_MS, sampleOf('hf-1', 3))).toContain('machine_cpu_seconds_total{machine="hf-1"} 8');
  });

  it('begins at 0 with a machine that another worker has counted before', async () => {
    const { sampleAt } = world();

    expect(await sampleAt(LATER_MS, sampleOf('hf-1', 50))).toContain('machine_cpu_seconds_total{machine="hf-1"} 0');
    expect(await sampleAt(2 * LATER_MS, sampleOf('hf-1', 51))).toContain('machine_cpu_seconds_total{machine="hf-1"} 1');
  });

  it('says from when it counts: since the last look that did not find the machine, or since its own first one', async () => {
    const { sampleAt } = world();
    const startOf = (page: string, machine: string) =>
      Number(new RegExp(`start_time_seconds\\{machine="${machine}"\\} (\\S+)`).exec(page)?.[1]) - UNIX_MS / 1000;

    expect(startOf(await sampleAt(LATER_MS, sampleOf('hf-1', 50)), 'hf-1')).toBe(LATER_MS / 1000);
    const page = await sampleAt(2 * LATER_MS, sampleOf('hf-1', 51), sampleOf('hf-2', 5));
    expect([startOf(page, 'hf-1'), startOf(page, 'hf-2')]).toEqual([LATER_MS / 1000, LATER_MS / 1000]);
    expect(startOf(await sampleAt(3 * LATER_MS, sampleOf('hf-2', 6)), 'hf-2')).toBe(LATER_MS / 1000);
  });

  it('serves a machine that has gone, and lets it be discovered, as long as its last scrape is waited for', async () => {
    const { collector, sampleAt } = world();
    await sampleAt(LATER_MS, sampleOf('hf-1', 1), sampleOf('hf-2', 1));
    const discovered = () => collector.live().map(({ machine }) => machine);
    expect(discovered()).toEqual(['hf-1', 'hf-2']);

    await sampleAt(LATER_MS + LATEST_SCRAPE_MS - 1, sampleOf('hf-2', 1));
    expect(discovered()).toEqual(['hf-1', 'hf-2']);
    expect(await collector.textOf('hf-1')).toContain('machine_cpu_seconds_total{machine="hf-1"} 0');

    await sampleAt(2 * LATER_MS + LATEST_SCRAPE_MS, sampleOf('hf-2', 1));
    expect(discovered()).toEqual(['hf-2']);
    expect(await collector.textOf('hf-1')).toBeUndefined();
  });
});

describe('/sd/machines', () => {
  it('is a target a machine, with a page of its own on the address that was asked', async () => {
    const { collector, metrics, sampleAt } = world();
    await sampleAt(LATER_MS, sampleOf('hf-1', 1), sampleOf('hf-2', 1));
    const { address } = await serve(collector, metrics);

    const targets = (await (await fetch(`http://${address}/sd/machines`)).json()) as { targets: string[] }[];

    expect(targets).toHaveLength(2);
    expect(targets[0]).toEqual({
      targets: [address],
      labels: {
        __metrics_path__: '/metrics/machine',
        __param_machine: 'hf-1',
        instance: 'hf-1',
        __meta_holdfast_machine: 'hf-1',
        __meta_holdfast_engine: 'local',
        __meta_holdfast_job: 'job/hf-1',
      },
    });
    const page = await (await fetch(`http://${address}/metrics/machine?machine=hf-2`)).text();
    expect(page).toContain('{machine="hf-2"}');
    expect(page).not.toContain('hf-1');
    expect((await fetch(`http://${address}/metrics/machine?machine=hf-3`)).status).toBe(404);
  });
});

describe('a scrape', () => {
  it('is answered within the time that Prometheus gives it, whatever the engine does', async () => {
    const { collector, metrics } = world({ sample: () => new Promise<MachineSample[]>(() => undefined) });
    const patience: number[] = [];
    const watched: MachineCollector = {
      ...collector,
      freshen: (ms) => {
        patience.push(ms);
        return collector.freshen(Math.min(ms, 10));
      },
    };
    const { address } = await serve(watched, metrics);

    const scraped = await fetch(`http://${address}/metrics`, {
      headers: { 'x-prometheus-scrape-timeout-seconds': '1' },
    });
    await fetch(`http://${address}/metrics`);

    expect(scraped.status).toBe(200);
    expect(patience).toEqual([400, 2000]);
  });
});
