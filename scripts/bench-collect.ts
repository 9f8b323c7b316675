// How long collecting a job's metrics takes, against a real Prometheus with the samples of an hour in it.
// npx tsx scripts/bench-collect.ts [seconds between scrapes=5] [rounds=20]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collectMetrics } from '../src/metrics/collect.js';
import { createPrometheusClient } from '../src/metrics/prometheus-client.js';
import { HOLDFAST_QUERIES } from '../src/metrics/queries.js';
import { RULE_PRESET_NAMES, toRules } from '../src/metrics/rules.js';
import { writePastSamples } from '../test/support/prometheus/samples.js';
import { createPrometheusServer } from '../test/support/prometheus/server.js';

const [every = 5, rounds = 20] = process.argv.slice(2).map(Number);
const HOUR_MS = 3_600_000;
const endMs = Math.floor(Date.now() / 1000) * 1000 - 3 * HOUR_MS;
const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
const server = await createPrometheusServer({ directory });
const past = { startMs: endMs - HOUR_MS, endMs: endMs + 30_000, everyMs: every * 1000 };
writePastSamples(
  server.dataDirectory,
  Array.from({ length: 50 }, (_, at) => ({ machine: `hf-${String(at)}`, ...past })),
);
await server.start();
const prometheus = createPrometheusClient({ url: server.url });
try {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const value = `hf-${String(round % 50)}`;
    const startedAt = performance.now();
    await collectMetrics(
      prometheus,
      {
        job: 'job/1',
        name: 'build',
        project: '',
        machine: value,
        engine: 'local',
        selector: { name: 'machine', value },
        window: { startMs: endMs - HOUR_MS, endMs },
        stages: [],
        queries: HOLDFAST_QUERIES,
        stepMs: 5000,
        scrapeWaitMs: 15_000,
        aggregate: 'sum',
        rules: toRules(RULE_PRESET_NAMES.map((preset) => ({ preset }))),
      },
      new AbortController().signal,
    );
    times.push(performance.now() - startedAt);
  }
  const sorted = times.sort((a, b) => a - b);
  const at = (part: number) => (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0).toFixed(0);
  console.log(
    `a job of an hour, scraped every ${String(every)} s, with all rules: median ${at(0.5)} ms, longest ${at(1)} ms`,
  );
} finally {
  await prometheus.close();
  await server.stop();
  rmSync(directory, { recursive: true });
}
