import { Gauge, type Registry } from 'prom-client';

/** A run's figures as they go on the page; absent: not measured. */
export interface RunFigures {
  project: string;
  name: string;
  cpu?: { peak: number; p95: number } | undefined;
  memoryBytes?: { peak: number; p95: number } | undefined;
  limits: { cpus: number | null; memoryBytes: number | null };
}

/** The last run of each of the latest job names; the others' series go, so that there are never more than configured. */
export interface UsageMetrics {
  record(run: RunFigures): void;
}

const LABELS = ['project', 'job'] as const;
type UsageGauge = Gauge<(typeof LABELS)[number]>;

/** @param mostNames 0: none at all */
export function createUsageMetrics(registry: Registry, mostNames: number): UsageMetrics {
  const gauge = (name: string, help: string): UsageGauge =>
    new Gauge({ name, help, labelNames: LABELS, registers: [registry] });
  const cpuPeak = gauge('holdfast_usage_cpu_peak_cores', "Highest CPU of a job name's last run");
  const cpuP95 = gauge('holdfast_usage_cpu_p95_cores', "95th percentile of the CPU of a job name's last run");
  const cpuLimit = gauge('holdfast_usage_cpu_limit_cores', "CPU limit of a job name's last run");
  const memoryPeak = gauge('holdfast_usage_memory_peak_bytes', "Highest memory of a job name's last run");
  const memoryP95 = gauge('holdfast_usage_memory_p95_bytes', "95th percentile of the memory of a job name's last run");
  const memoryLimit = gauge('holdfast_usage_memory_limit_bytes', "Memory limit of a job name's last run");
  const all = [cpuPeak, cpuP95, cpuLimit, memoryPeak, memoryP95, memoryLimit];
  /** Oldest first: a Map keeps the order of insertion. */
  const names = new Map<string, { project: string; job: string }>();

  function forgetOldest(): void {
    for (const [key, labels] of names) {
      if (names.size <= mostNames) return;
      names.delete(key);
      for (const each of all) each.remove(labels);
    }
  }

  return {
    record({ project, name, cpu, memoryBytes, limits }) {
      if (mostNames === 0) return;
      const labels = { project, job: name };
      const key = JSON.stringify(labels);
      names.delete(key);
      names.set(key, labels);
      const values: [UsageGauge, number | null | undefined][] = [
        [cpuPeak, cpu?.peak],
        [cpuP95, cpu?.p95],
        [cpuLimit, limits.cpus],
        [memoryPeak, memoryBytes?.peak],
        [memoryP95, memoryBytes?.p95],
        [memoryLimit, limits.memoryBytes],
      ];
      for (const [each, value] of values) {
        if (value === null || value === undefined) each.remove(labels);
        else each.set(labels, value);
      }
      forgetOldest();
    },
  };
}
