import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { REASON_FAULTS } from '../contracts/faults.js';
import { FAILURE_REASONS } from '../contracts/names.js';
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

describe('labels', () => {
  it('have no name that Prometheus gives to every sample: it would rename ours', () => {
    const labels = registered().flatMap((metric) => metric.labels);

    expect(labels).not.toContain('job');
    expect(labels).not.toContain('instance');
  });
});

describe('counters', () => {
  it('are there before the first job, where what they count is known: an increase from nothing is none', async () => {
    const page = await createWorkerMetrics({ version: '1', revision: 'r' }, ['cpu_pegged']).registry.metrics();

    expect(page).toContain('holdfast_flagged_jobs_total{flag="cpu_pegged"} 0\n');
    for (const reason of FAILURE_REASONS)
      expect(page).toContain(
        `holdfast_failed_jobs_total{failure_reason="${reason}",fault="${REASON_FAULTS[reason]}"} 0\n`,
      );
  });
});
