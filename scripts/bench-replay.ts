// How long `holdfast metrics replay --failed` takes, with real Temporal, Prometheus and worker; the jobs are seeded.
// npm run build; npx tsx scripts/bench-replay.ts [jobs=1000] [maxQueries=8]
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { failedJobs, writeFailedJobs } from '../test/support/prometheus/failed-jobs.js';
import { startFront } from '../test/support/prometheus/front.js';
import { writePastSamples } from '../test/support/prometheus/samples.js';
import { createPrometheusServer } from '../test/support/prometheus/server.js';
import { until } from '../test/support/processes.js';
import { startStack } from '../test/support/stack.js';

const [count = 1000, maxQueries = 8] = process.argv.slice(2).map(Number);
const front = await startFront('http://127.0.0.1:9');
const stack = await startStack({
  prometheus: false,
  engine: { warm: 0 },
  metrics: { prometheusUrl: front.url, maxQueries },
});
const prometheus = await createPrometheusServer({ directory: stack.directory });
try {
  const jobs = failedJobs(count, Math.floor(Date.now() / 1000) * 1000 - 3 * 3_600_000);
  writePastSamples(
    prometheus.dataDirectory,
    jobs.map(({ past }) => past),
  );
  await prometheus.start();
  front.target = prometheus.url;
  await writeFailedJobs(stack.client, stack.engine, jobs);
  const listed = async () => (await stack.client.listJobs({ metrics: 'failed', limit: count + 1 })).length;
  await until('the jobs in the list', async () => (await listed()) === count, 120_000);
  const processes = { temporal: stack.temporal().pid, worker: stack.worker().pid };
  const before = Object.values(processes).map(cpuSeconds);
  const startedAt = performance.now();
  const argv = ['metrics', 'replay', '--failed', '--json', '--rate', '1000', '--config', stack.configFile];
  // Not synchronously: the front answers from this process.
  const { stdout: said } = await promisify(execFile)('bin/holdfast', argv, { maxBuffer: 1e9 });
  const seconds = (performance.now() - startedAt) / 1000;
  const used = Object.entries(processes).map(
    ([name, pid], at) => `${name} ${(cpuSeconds(pid) - (before[at] ?? 0)).toFixed(1)} s`,
  );
  const outcomes = (JSON.parse(said) as { outcome: string }[]).map(({ outcome }) => outcome);
  const uploaded = outcomes.filter((outcome) => outcome === 'uploaded').length;
  console.log(
    `${String(outcomes.length)} jobs, ${String(uploaded)} uploaded, in ${seconds.toFixed(1)} s; ${String(front.seen.count)} questions, at most ${String(front.seen.mostAtOnce)} at once (configured ${String(maxQueries)}); CPU of ${used.join(', ')}`,
  );
} finally {
  await stack.close();
  await prometheus.stop();
  await front.close();
}

/** User and system time of a process, in Linux' hundredths of a second. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
