import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectMetricsInput } from '../../test/support/metrics-fixtures.js';
import type { Activities, CollectMetricsInput, MetricsResult } from '../contracts/activities.js';
import type { ReplayMetricsInput, ReplayMetricsResult } from '../contracts/ci-job.js';
import type { Engine } from '../machines/engine.js';
import { PrometheusError, type PrometheusClient } from '../metrics/prometheus-client.js';
import { createDirectoryStore } from '../store/directory-store.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import { createWorkerMetrics } from '../telemetry/metrics.js';
import { createUsageMetrics } from '../telemetry/usage-metrics.js';
import { createMetricsActivities, type MetricsDeps } from './collect-metrics.js';

type MetricsActivities = Pick<Activities, 'collectMetrics' | 'replayJobMetrics'>;

let directory: string;
let store: Store;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-collect-'));
  store = createDirectoryStore({ directory });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Of a job that ended long ago: nothing is waited for. */
const input = collectMetricsInput({ engine: 'far' });

/** A Prometheus that knows machines by `vm` alone. */
function byVm(value: string): PrometheusClient {
  const answer = (query: string, atMs: number) =>
    Promise.resolve(
      query.includes(`vm="${value}"`) ? [{ labels: {}, values: [[atMs / 1000, '1'] as [number, string]] }] : [],
    );
  return {
    query: (query, _signal, atMs) => answer(query, atMs ?? 0),
    queryRange: (query, { endMs }) => answer(query, endMs),
    checkQuery: () => Promise.resolve(undefined),
    retention: () => Promise.resolve(undefined),
    ready: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

/** The activities of a worker. @param engines those that it has itself */
function worker(prometheus: PrometheusClient, engines: MetricsDeps['engines'] = new Map<string, Engine>()) {
  const metrics = createWorkerMetrics({ version: '1', revision: 'r' });
  const deps = {
    store,
    metrics,
    prometheus,
    engines,
    usage: createUsageMetrics(metrics.registry, 0),
    logger: { warn: () => undefined },
    lifecycle: { handover: new AbortController().signal, pausedJustNow: () => false },
    metricsSettings: {
      queries: { memory: 'container_memory_working_set_bytes{{selector}}' },
      aggregates: {},
      aggregate: 'sum',
      stepMs: 5000,
      scrapeWaitMs: 15_000,
      rules: [],
      usageRuns: 20,
    },
  };
  return createMetricsActivities(deps as unknown as MetricsDeps);
}

const collect = (activities: MetricsActivities, asked: CollectMetricsInput) =>
  new MockActivityEnvironment().run<[CollectMetricsInput], MetricsResult, MetricsActivities['collectMetrics']>(
    activities.collectMetrics,
    asked,
  );
const replay = (activities: MetricsActivities, job: string) =>
  new MockActivityEnvironment().run<[ReplayMetricsInput], ReplayMetricsResult, MetricsActivities['replayJobMetrics']>(
    activities.replayJobMetrics,
    { version: 1, job },
  );

describe('an early collection', () => {
  const GIVEN_OUT_MS = 1_700_000_000_000;
  /** With so much time left when it is given out. */
  const collectEarly = (prometheus: PrometheusClient, leftMs: number) =>
    new MockActivityEnvironment({ currentAttemptScheduledTimestampMs: GIVEN_OUT_MS }).run<
      [CollectMetricsInput],
      MetricsResult,
      MetricsActivities['collectMetrics']
    >(worker(prometheus).collectMetrics, { ...input, early: true, untilMs: GIVEN_OUT_MS + leftMs });

  it('of a Prometheus that hangs ends by itself when its time is over', async () => {
    const hanging: PrometheusClient = {
      ...byVm('hf-1'),
      query: (_query, signal) =>
        new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
    };

    expect(await collectEarly(hanging, 1)).toMatchObject({ state: 'pending', late: true });
  });

  it('is tried again while it has time', async () => {
    const answering = byVm('hf-1');
    let asked = 0;
    const starting: PrometheusClient = {
      ...answering,
      query: (...args) =>
        asked++ === 0
          ? Promise.reject(new PrometheusError('PROMETHEUS_UNREACHABLE', 'ECONNREFUSED'))
          : answering.query(...args),
    };

    expect((await collectEarly(starting, 60_000)).late).toBeUndefined();
    expect(asked).toBeGreaterThan(1);
  });
});

describe('the machine', () => {
  it('is asked for by the label that its engine gave, by a worker without that engine, also at a replay', async () => {
    const activities = worker(byVm('vm-hf-1'));

    const result = await collect(activities, { ...input, label: { name: 'vm', value: 'vm-hf-1' } });
    await store.remove(jobKeys.metrics(input.workflowId));

    expect(result.outcome).toBe('uploaded');
    expect(await replay(activities, input.workflowId)).toMatchObject({ outcome: 'uploaded', reason: '1 series' });
  });

  it('of an older request is asked for by the label of its engine, where this worker has that', async () => {
    const engine = { metricsLabel: (machine: string) => ({ name: 'vm', value: `vm-${machine}` }) } as Engine;

    expect((await collect(worker(byVm('vm-hf-1')), input)).reason).toBe('Prometheus has no samples of machine hf-1');
    expect((await collect(worker(byVm('vm-hf-1'), new Map([['far', engine]])), input)).outcome).toBe('uploaded');
  });
});
