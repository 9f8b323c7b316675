import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createMachineMetrics } from './machine-metrics.js';
import { createWorkerMetrics } from './metrics.js';
import { createUsageMetrics } from './usage-metrics.js';

interface Described {
  name: string;
  type: string;
  labels: string[];
  help: string;
}

/** Everything of ours, as the registry has it. */
function registered(): Described[] {
  const { registry } = createWorkerMetrics({ version: '1', revision: 'r' });
  createMachineMetrics(registry);
  createUsageMetrics(registry, 1);
  return registry
    .getMetricsAsArray()
    .map((metric) => {
      // Types of prom-client leave out what every metric has.
      const { name, help, type, labelNames } = metric as unknown as {
        name: string;
        help: string;
        type: string;
        labelNames: string[];
      };
      return { name, help, type, labels: labelNames.filter((label) => label !== 'le') };
    })
    .filter(({ name }) => name.startsWith('holdfast_'));
}

/** The table of docs/metrics.md. */
function documented(): Described[] {
  const rows = readFileSync('docs/metrics.md', 'utf8').matchAll(
    /^\| `(holdfast_\w+)`\s*\| (\w+)\s*\| (.*?)\s*\| (.*?)\s*\|$/gm,
  );
  return [...rows].map(([, name = '', type = '', labels = '', help = '']) => ({
    name,
    type,
    help,
    labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
  }));
}

const byName = (a: Described, b: Described) => a.name.localeCompare(b.name);

describe('docs/metrics.md', () => {
  it('has every metric of ours with its type, labels and meaning, and no other', () => {
    expect(documented().sort(byName)).toEqual(registered().sort(byName));
  });
});

describe('usage metrics', () => {
  it('are of the latest job names only, and show nothing that was not measured', async () => {
    const { registry } = createWorkerMetrics({ version: '1', revision: 'r' });
    const usage = createUsageMetrics(registry, 2);
    const run = { project: 'p', limits: { cpus: 1, memoryBytes: null }, cpu: { peak: 0.5, p95: 0.4 } };
    for (const name of ['a', 'b', 'a', 'c']) usage.record({ ...run, name });

    const page = await registry.metrics();

    expect(page.match(/^holdfast_usage_cpu_peak_cores\{.*$/gm)).toEqual([
      'holdfast_usage_cpu_peak_cores{project="p",job="a"} 0.5',
      'holdfast_usage_cpu_peak_cores{project="p",job="c"} 0.5',
    ]);
    expect(page).not.toMatch(/^holdfast_usage_memory_peak_bytes\{/m);
  });

  it('are none at all where the configuration says 0', async () => {
    const { registry } = createWorkerMetrics({ version: '1', revision: 'r' });
    createUsageMetrics(registry, 0).record({ project: 'p', name: 'a', limits: { cpus: 1, memoryBytes: 1 } });

    expect(await registry.metrics()).not.toMatch(/^holdfast_usage_\w+\{/m);
  });
});
