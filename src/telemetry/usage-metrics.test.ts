import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { JobUsage } from '../metrics/usage.js';
import { createUsageMetrics } from './usage-metrics.js';

function usageOf(name: string, day: number, changes: Partial<JobUsage> = {}): JobUsage {
  return {
    project: 'p',
    name,
    runs: 3,
    lastRunAt: `2026-01-0${String(day)}T00:00:00.000Z`,
    limits: { cpus: 1, memoryBytes: null },
    cpu: { peak: 0.5, p95: 0.4 },
    memoryBytes: null,
    throttledSeconds: 12,
    throttledPart: 0.1,
    oomKills: 2,
    advice: '',
    ...changes,
  };
}

async function linesOf(registry: Registry, metric: string): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line.startsWith(`${metric}{`));
}

describe('usage metrics', () => {
  it('tell of the last runs what was used, asked for, held back and killed, and nothing that was not measured', async () => {
    const registry = new Registry();
    createUsageMetrics(registry, 2).record(usageOf('a', 1));

    const labels = '{project="p",job_name="a"}';
    expect((await registry.metrics()).split('\n').filter((line) => line.startsWith('holdfast'))).toEqual([
      `holdfast_usage_runs${labels} 3`,
      `holdfast_usage_cpu_peak_cores${labels} 0.5`,
      `holdfast_usage_cpu_p95_cores${labels} 0.4`,
      `holdfast_usage_cpu_limit_cores${labels} 1`,
      `holdfast_usage_cpu_throttled_seconds${labels} 12`,
      `holdfast_usage_oom_kills${labels} 2`,
    ]);
  });

  it('are of the names that ran last only, in whatever order they are told', async () => {
    const registry = new Registry();
    const usage = createUsageMetrics(registry, 2);
    for (const [name, day] of [
      ['b', 2],
      ['a', 3],
      ['c', 4],
      ['d', 1],
    ] as const)
      usage.record(usageOf(name, day));

    expect(await linesOf(registry, 'holdfast_usage_cpu_peak_cores')).toEqual([
      'holdfast_usage_cpu_peak_cores{project="p",job_name="a"} 0.5',
      'holdfast_usage_cpu_peak_cores{project="p",job_name="c"} 0.5',
    ]);
  });

  it('are not set back by what was read before a job ended', async () => {
    const registry = new Registry();
    const usage = createUsageMetrics(registry, 2);
    usage.record(usageOf('a', 2, { runs: 4 }));
    usage.record(usageOf('a', 1));

    expect(await linesOf(registry, 'holdfast_usage_runs')).toEqual(['holdfast_usage_runs{project="p",job_name="a"} 4']);
  });

  it('are none at all where the configuration says 0', async () => {
    const registry = new Registry();
    createUsageMetrics(registry, 0).record(usageOf('a', 1));

    expect(await registry.metrics()).not.toMatch(/^holdfast_usage_\w+\{/m);
  });
});
