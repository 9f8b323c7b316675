import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../../test/support/processes.js';
import { failedJobs, writeFailedJobs } from '../../test/support/prometheus/failed-jobs.js';
import { writePastSamples } from '../../test/support/prometheus/samples.js';
import type { Stack } from '../../test/support/stack.js';
import type { Measurement } from '../measurement.js';
import { cpuSeconds } from '../process-usage.js';
import { rounded } from '../statistics.js';

const JOBS = 1_000;
const HOUR_MS = 3_600_000;
/** Prometheus' own count of its processor time. */
const PROMETHEUS_CPU = /^process_cpu_seconds_total (\S+)$/m;

/** As an operator runs it after an outage of Prometheus, whose samples are there again. */
export const replay: Measurement = {
  name: 'replay',
  about: `holdfast metrics replay --failed with ${String(JOBS)} jobs`,
  async run(bench) {
    const stack = await bench.ownStack({ prometheus: false, engine: { warm: 0 } });
    await seed(stack);
    const before = await usage(stack);
    const startedAt = performance.now();
    const outcomes = await replayFailed(stack);
    const seconds = rounded((performance.now() - startedAt) / 1000);
    const after = await usage(stack);
    await stack.close();
    if (outcomes.length !== JOBS || outcomes.some((outcome) => outcome !== 'uploaded')) {
      throw new Error(`Not all were uploaded: ${JSON.stringify([...new Set(outcomes)])} of ${String(outcomes.length)}`);
    }
    const spent = Object.entries(after).map(([who, cpu]) => [who, rounded(cpu - (before[who] ?? 0))] as const);
    return {
      figures: { seconds, jobs: JOBS, cpuSeconds: Object.fromEntries(spent) },
      aims: [{ what: `replaying ${String(JOBS)} jobs`, value: seconds, atMost: 120, unit: 's' }],
    };
  },
};

async function seed(stack: Stack): Promise<void> {
  const jobs = failedJobs(JOBS, Math.floor(Date.now() / 1000) * 1000 - 3 * HOUR_MS);
  const directory = join(stack.directory, 'prometheus');
  mkdirSync(directory);
  writePastSamples(
    directory,
    jobs.map(({ past }) => past),
  );
  await stack.startPrometheus();
  await writeFailedJobs(stack.client, stack.engine, jobs);
  const isListed = async () => (await stack.client.listJobs({ metrics: 'failed', limit: JOBS })).length === JOBS;
  await until('all jobs in the list', isListed, 120_000);
}

async function replayFailed(stack: Stack): Promise<string[]> {
  const argv = ['metrics', 'replay', '--failed', '--json', '--config', stack.configFile];
  const { stdout } = await promisify(execFile)(join('bin', 'holdfast'), argv, { maxBuffer: 1e8 });
  return (JSON.parse(stdout) as { outcome: string }[]).map(({ outcome }) => outcome);
}

async function usage(stack: Stack): Promise<Record<string, number>> {
  const page = await (await fetch(`${stack.prometheusUrl}/metrics`)).text();
  return {
    worker: cpuSeconds(stack.worker().pid),
    temporal: cpuSeconds(stack.temporal().pid),
    prometheus: Number(PROMETHEUS_CPU.exec(page)?.[1]),
  };
}
