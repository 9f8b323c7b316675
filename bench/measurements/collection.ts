import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPLAY_METRICS_WORKFLOW } from '../../src/contracts/names.js';
import type { CollectMetricsInput } from '../../src/contracts/activities.js';
import type { ReplayMetricsResult } from '../../src/contracts/ci-job.js';
import { findTool } from '../../src/dev/tools.js';
import { jobKeys } from '../../src/store/keys.js';
import type { Stack } from '../../test/support/stack.js';
import type { Measurement } from '../measurement.js';
import { summarize } from '../statistics.js';

const HOUR_MS = 3_600_000;
const SCRAPE_MS = 5_000;
const MACHINE = 'bench-hour';

/** A real Prometheus with an hour of one machine in it; collected as the replay does, which is how the job does it. */
export const collection: Measurement = {
  name: 'collection',
  about: 'collecting the metrics of a job of one hour, scraped every 5 s',
  async run(bench) {
    const stack = await bench.ownStack({ prometheus: false });
    const endMs = Date.now() - 60_000;
    writeHour(stack, endMs);
    await stack.startPrometheus();
    const seconds: number[] = [];
    let activities = 0;
    for (let round = 0; round <= bench.rounds(6); round++) {
      const job = `job/bench-hour-${String(round)}`;
      const request = requestOf(stack, job, endMs);
      await stack.client.store.write(jobKeys.metricsRequest(job), JSON.stringify(request));
      const found = await collectOnce(stack, job);
      if (round === 0) continue; // the first one opens connections
      seconds.push(found.seconds);
      activities = Math.max(activities, found.activities);
    }
    await stack.close();
    return {
      figures: { seconds: summarize(seconds), activities },
      aims: [
        { what: "collecting an hour's metrics, median", value: summarize(seconds).median, atMost: 0.3, unit: 's' },
        { what: 'activities for it', value: activities, atMost: 2, unit: '' },
      ],
    };
  },
};

async function collectOnce(stack: Stack, job: string): Promise<{ seconds: number; activities: number }> {
  const handle = await stack.client.temporal.workflow.start(REPLAY_METRICS_WORKFLOW, {
    workflowId: `bench-replay/${job}`,
    taskQueue: 'holdfast',
    args: [{ version: 1, job }],
  });
  const result = (await handle.result()) as ReplayMetricsResult;
  if (result.outcome !== 'uploaded') throw new Error(`The hour was not collected: ${result.outcome}, ${result.reason}`);
  const { events = [] } = await handle.fetchHistory();
  const times = (kind: 'activityTaskStartedEventAttributes' | 'activityTaskCompletedEventAttributes') =>
    (events ?? [])
      .filter((event) => event[kind] != null)
      .map(({ eventTime }) => Number(eventTime?.seconds) + (eventTime?.nanos ?? 0) / 1e9);
  const started = times('activityTaskStartedEventAttributes');
  const completed = times('activityTaskCompletedEventAttributes');
  return { seconds: (completed.at(-1) ?? Number.NaN) - (started[0] ?? Number.NaN), activities: started.length };
}

function requestOf(stack: Stack, job: string, endMs: number): CollectMetricsInput {
  return {
    workflowId: job,
    attempt: 1,
    machine: MACHINE,
    engine: stack.engine,
    name: 'hour',
    project: 'bench',
    window: { startMs: endMs - HOUR_MS, endMs: endMs - SCRAPE_MS * 2 },
    stages: [{ name: 'step_script', startedAtMs: endMs - HOUR_MS, finishedAtMs: endMs }],
    limits: { cpus: null, memoryBytes: null },
    oomKills: 0,
    toCoordinator: false,
  };
}

const COUNTERS = [
  'cpu_seconds_total',
  'cpu_throttled_seconds_total',
  'network_receive_bytes_total',
  'network_transmit_bytes_total',
  'disk_read_bytes_total',
  'disk_written_bytes_total',
];
const GAUGES = ['memory_bytes', 'memory_limit_bytes'];

/** Blocks, made by Prometheus' own tool, of what its scrapes would have found. */
function writeHour(stack: Stack, endMs: number): void {
  const lines: string[] = [];
  for (const name of [...COUNTERS, ...GAUGES]) {
    for (let atMs = endMs - HOUR_MS; atMs <= endMs; atMs += SCRAPE_MS) {
      const seconds = (atMs - endMs + HOUR_MS) / 1000;
      const value = name.endsWith('_total') ? seconds * 1.5 : 1e8 + Math.sin(seconds / 60) * 1e7;
      lines.push(`holdfast_machine_${name}{machine="${MACHINE}"} ${String(value)} ${String(atMs / 1000)}`);
    }
  }
  const file = join(stack.directory, 'hour.om');
  writeFileSync(file, `${lines.join('\n')}\n# EOF\n`);
  execFileSync(
    findTool('promtool', '.holdfast'),
    ['tsdb', 'create-blocks-from', 'openmetrics', file, join(stack.directory, 'prometheus')],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
}
