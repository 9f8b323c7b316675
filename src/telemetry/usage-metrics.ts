import { Gauge, type Registry } from 'prom-client';
import type { JobUsage } from '../metrics/usage.js';

/** What the latest job names used over their last runs; the others' series go, so that there are never more than configured. */
export interface UsageMetrics {
  /** How many job names there are at most; 0: none at all. */
  readonly mostNames: number;
  /** Of a name that is known from a later run nothing changes: what is read at the start may come after a job's end. */
  record(usage: JobUsage): void;
}

/** Not `job`: Prometheus gives its samples a label of that name, and would rename ours to `exported_job`. */
const LABELS = ['project', 'job_name'] as const;
type UsageLabels = Record<(typeof LABELS)[number], string>;

const FIGURES: { name: string; help: string; of: (usage: JobUsage) => number | null | undefined }[] = [
  {
    name: 'holdfast_usage_runs',
    help: 'Last runs of a job name that its other usage metrics are of',
    of: ({ runs }) => runs,
  },
  {
    name: 'holdfast_usage_cpu_peak_cores',
    help: "Highest CPU of a job name's last runs",
    of: ({ cpu }) => cpu?.peak,
  },
  {
    name: 'holdfast_usage_cpu_p95_cores',
    help: "95th percentile of the CPU of a job name's last runs",
    of: ({ cpu }) => cpu?.p95,
  },
  {
    name: 'holdfast_usage_cpu_limit_cores',
    help: "CPU limit of a job name's last run",
    of: ({ limits }) => limits.cpus,
  },
  {
    name: 'holdfast_usage_cpu_throttled_seconds',
    help: 'Time for which its CPU limit held a job name back, in its last runs together',
    of: ({ throttledSeconds }) => throttledSeconds,
  },
  {
    name: 'holdfast_usage_memory_peak_bytes',
    help: "Highest memory of a job name's last runs",
    of: ({ memoryBytes }) => memoryBytes?.peak,
  },
  {
    name: 'holdfast_usage_memory_p95_bytes',
    help: "95th percentile of the memory of a job name's last runs",
    of: ({ memoryBytes }) => memoryBytes?.p95,
  },
  {
    name: 'holdfast_usage_memory_limit_bytes',
    help: "Memory limit of a job name's last run",
    of: ({ limits }) => limits.memoryBytes,
  },
  {
    name: 'holdfast_usage_oom_kills',
    help: "Out-of-memory kills in a job name's last runs",
    of: ({ oomKills }) => oomKills,
  },
];

export function createUsageMetrics(registry: Registry, mostNames: number): UsageMetrics {
  const gauges = FIGURES.map(({ name, help, of }) => ({
    gauge: new Gauge({ name, help, labelNames: LABELS, registers: [registry] }),
    of,
  }));
  const known = new Map<string, { labels: UsageLabels; lastRunAt: string }>();

  function forgetOldest(): void {
    const [oldest] = [...known].sort(([, a], [, b]) => (a.lastRunAt < b.lastRunAt ? -1 : 1));
    if (oldest === undefined || known.size <= mostNames) return;
    const [key, { labels }] = oldest;
    known.delete(key);
    for (const { gauge } of gauges) gauge.remove(labels);
  }

  return {
    mostNames,
    record(usage) {
      const { project, name, lastRunAt } = usage;
      const labels = { project, job_name: name };
      const key = JSON.stringify(labels);
      if (lastRunAt < (known.get(key)?.lastRunAt ?? '')) return;
      known.set(key, { labels, lastRunAt });
      for (const { gauge, of } of gauges) {
        const value = of(usage);
        if (value === null || value === undefined) gauge.remove(labels);
        else gauge.set(labels, value);
      }
      forgetOldest();
    },
  };
}
