import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JobHandle } from '../../../src/client.js';
import { holdfast } from '../../support/command-line.js';
import { until } from '../../support/processes.js';
import { startFront } from '../../support/prometheus/front.js';
import { TEST_IMAGE } from '../../support/docker.js';
import { startStack, type Stack } from '../../support/stack.js';

let stack: Stack;

afterEach(async () => {
  await until('an engine without leftovers', () => stack.leftovers().length === 0, 20_000);
});

/** A job that Prometheus has seen, and that ends when it is told to. */
async function seenJob(id: string, job: object = {}): Promise<{ handle: JobHandle; end: () => void }> {
  const handle = await stack.client.startJob(
    { image: TEST_IMAGE, script: [`until [ -e /shared/${id} ]; do sleep 0.1; done`], ...job },
    { id },
  );
  await until('samples of the machine', async () => {
    const { machine } = await handle.status();
    return machine !== null && (await samplesOf(machine)) >= 2;
  });
  return { handle, end: () => writeFileSync(join(stack.shared, id), '') };
}

async function samplesOf(machine: string): Promise<number> {
  return await valueOf(`sum(count_over_time(holdfast_machine_memory_bytes{machine="${machine}"}[1m]))`);
}

/** Unix seconds. */
async function lastSampleOf(machine: string): Promise<number> {
  return await valueOf(`max(timestamp(holdfast_machine_memory_bytes{machine="${machine}"}))`);
}

async function valueOf(query: string): Promise<number> {
  const response = await fetch(`${stack.prometheusUrl}/api/v1/query?query=${encodeURIComponent(query)}`);
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
  return Number(data.result[0]?.value[1] ?? 0);
}

async function describeJob(handle: JobHandle) {
  const { raw, searchAttributes, status } = await stack.client.temporal.workflow
    .getHandle(handle.workflowId)
    .describe();
  return {
    pending: raw.pendingActivities ?? [],
    metrics: searchAttributes['HoldfastMetrics']?.[0],
    status: status.name,
  };
}

async function untilMetrics(handle: JobHandle, state: string): Promise<void> {
  await until(`HoldfastMetrics=${state}`, async () => (await describeJob(handle)).metrics === state, 60_000);
}

async function uploads(): Promise<number> {
  const text = await (await fetch(`${stack.metricsUrl}/metrics`)).text();
  return Number(/^holdfast_metrics_collections_total\{outcome="uploaded"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

describe('Prometheus goes down while a job runs', () => {
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(() => stack.close());

  it('the result is not touched, the pending activity says what is wrong, and the metrics come by themselves later', async () => {
    const { handle, end } = await seenJob('down-then-up');
    await stack.stopPrometheus();
    end();
    const result = await handle.result();
    await until('the failure of an attempt', async () =>
      (await describeJob(handle)).pending.some((activity) => activity.lastFailure != null),
    );
    const { pending, metrics, status } = await describeJob(handle);
    const collecting = pending.find((activity) => activity.activityType?.name === 'collectMetrics');
    const listed = await holdfast(['jobs', '--metrics', 'pending', '--json', '--config', stack.configFile]);

    expect(result).toMatchObject({ state: 'success', exitCode: 0, failureReason: null, metrics: 'pending' });
    expect({ metrics, status }).toEqual({ metrics: 'pending', status: 'RUNNING' });
    expect(collecting?.lastFailure?.applicationFailureInfo?.type).toBe('PROMETHEUS_UNREACHABLE');
    expect(collecting?.lastFailure?.message).toContain(stack.prometheusUrl);
    expect((JSON.parse(listed.stdout) as { workflowId: string }[]).map((job) => job.workflowId)).toContain(
      handle.workflowId,
    );

    await stack.startPrometheus();
    await untilMetrics(handle, 'uploaded');
    const document = await holdfast(['metrics', handle.id, '--json', '--config', stack.configFile]);
    const { series } = JSON.parse(document.stdout) as { series: { query: string; values: [number, string][] }[] };

    expect(await handle.status()).toMatchObject({ state: 'success', metrics: 'uploaded' });
    expect(series.find(({ query }) => query === 'memory')?.values.length).toBeGreaterThan(0);
    await until('the closed workflow', async () => (await describeJob(handle)).status === 'COMPLETED');
  });

  it.each([
    ['failed', { script: ['sleep 3; exit 3'] }, 'failed'],
    ['timed out', { script: ['sleep 60'], timeout: '4s' }, 'failed'],
  ])('a job that %s has its metrics, too', async (_how, job, state) => {
    const handle = await stack.client.startJob({ image: TEST_IMAGE, ...job });
    const result = await handle.result();
    await untilMetrics(handle, 'uploaded');

    expect(result.state).toBe(state);
  });

  it('a canceled job has its metrics, too', async () => {
    const { handle } = await seenJob('canceled-with-metrics');
    await handle.cancel();
    const result = await handle.result();
    await untilMetrics(handle, 'uploaded');

    expect(result.state).toBe('canceled');
  });

  it('a job of which Prometheus never saw anything has none, and that is another outcome', async () => {
    await stack.stopPrometheus();
    const handle = await stack.client.startJob({ image: TEST_IMAGE, script: ['true'] });
    await handle.result();
    await stack.startPrometheus();
    await untilMetrics(handle, 'failed');
    const { state, metricsReason } = await handle.status();

    expect(state).toBe('success');
    expect(metricsReason).toMatch(/has no samples of machine hf-/);
  });
});

describe('Prometheus stays away for longer than giveUpAfter', () => {
  beforeAll(async () => {
    stack = await startStack({ metrics: { giveUpAfter: '4s', scrapeWait: '1s' } });
  });
  afterAll(() => stack.close());

  it('the metrics have failed with the reason; a replay repairs them, and two at once are one upload', async () => {
    const { handle, end } = await seenJob('given-up');
    await stack.stopPrometheus();
    end();
    const result = await handle.result();
    await untilMetrics(handle, 'failed');
    await until('the closed workflow', async () => (await describeJob(handle)).status === 'COMPLETED');
    const { metricsReason } = await handle.status();
    const whileAway = await holdfast(['metrics', 'replay', handle.id, '--json', '--config', stack.configFile]);
    await stack.startPrometheus();
    // The one that covers the script's end: before it a replay would not be the last word.
    const { machine, finishedAt } = await handle.status();
    await until(
      'a scrape after the job',
      async () => (await lastSampleOf(String(machine))) * 1000 > Date.parse(String(finishedAt)),
    );
    const before = await uploads();
    const replay = ['metrics', 'replay', handle.id, '--json', '--config', stack.configFile];
    const both = await Promise.all([holdfast(replay), holdfast(replay)]);
    const again = await holdfast(replay);

    expect(result.state).toBe('success');
    expect(metricsReason).toContain(stack.prometheusUrl);
    expect(whileAway.code).toBe(70);
    expect(JSON.parse(whileAway.stdout)).toMatchObject([{ id: handle.id, outcome: 'failed' }]);
    for (const { code, stdout } of [...both, again]) {
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject([
        { id: handle.id, outcome: 'uploaded', reason: expect.any(String) as string },
      ]);
    }
    expect(await uploads()).toBe(before + 1);
    const { stdout } = await holdfast(['metrics', handle.id, '--json', '--config', stack.configFile]);
    expect((JSON.parse(stdout) as { series: unknown[] }).series.length).toBeGreaterThan(0);
  });
});

describe('Prometheus takes questions and does not answer', () => {
  it('jobs end as ever, however many collections wait for it', async () => {
    const front = await startFront('http://127.0.0.1:1');
    front.mode = 'hang';
    stack = await startStack({
      prometheus: false,
      metrics: { prometheusUrl: front.url, timeout: '20s' },
      top: { worker: { controlActivities: 2 } },
    });
    try {
      for (let waiting = 0; waiting < 4; waiting++) {
        const handle = await stack.client.startJob({ image: TEST_IMAGE, script: ['true'] });
        const begunAtMs = performance.now();
        const { state, metrics } = await handle.result();

        expect({ waiting, state, metrics }).toEqual({ waiting, state: 'success', metrics: 'pending' });
        expect(performance.now() - begunAtMs).toBeLessThan(10_000);
      }
    } finally {
      await Promise.all([stack.close(), front.close()]);
    }
  });
});
