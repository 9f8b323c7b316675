import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/processes.js';
import { failedJobs, writeFailedJobs, type FailedJob } from '../../support/prometheus/failed-jobs.js';
import { startFront, type Front } from '../../support/prometheus/front.js';
import { writePastSamples } from '../../support/prometheus/samples.js';
import { createPrometheusServer, type PrometheusServer } from '../../support/prometheus/server.js';
import { startStack, type Stack } from '../../support/stack.js';

const HOUR_MS = 3_600_000;
const END_MS = Math.floor(Date.now() / 1000) * 1000 - 3 * HOUR_MS;
const MAX_QUERIES = 3;

let directory: string;
let stack: Stack;
let prometheus: PrometheusServer;
let front: Front;
/** With samples; without any; from before Prometheus' retention. */
let known: FailedJob[];
let unknown: FailedJob[];
let expired: FailedJob[];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-replay-'));
  prometheus = await createPrometheusServer({ directory });
  known = failedJobs(40, END_MS);
  writePastSamples(
    prometheus.dataDirectory,
    known.map(({ past }) => past),
  );
  // There while the worker starts and has its queries checked: else it would ask again when the tests count.
  await prometheus.start();
  front = await startFront(prometheus.url);
  stack = await startStack({
    prometheus: false,
    engine: { warm: 0 },
    metrics: {
      prometheusUrl: front.url,
      maxQueries: MAX_QUERIES,
      timeout: '5s',
      rules: [
        {
          name: 'one_core',
          query: 'rate(holdfast_machine_cpu_seconds_total{{selector}}[{window}])',
          threshold: 0.5,
          longerThan: '1s',
        },
      ],
    },
  });
  await prometheus.stop();
  unknown = failedJobs(2, END_MS, 'unseen');
  expired = failedJobs(1, END_MS - 20 * 24 * HOUR_MS, 'expired');
  await writeFailedJobs(stack.client, stack.engine, [...known, ...unknown, ...expired]);
  await until(
    'all jobs in the list',
    async () => (await stack.client.listJobs({ metrics: 'failed', limit: 100 })).length === 43,
  );
});
afterAll(async () => {
  await stack?.close();
  await prometheus?.stop();
  await front?.close();
  rmSync(directory, { recursive: true });
});

interface Replayed {
  id: string;
  workflowId: string;
  outcome: string;
  reason: string;
}

/** The command as a user runs it. */
async function replay(...args: string[]): Promise<{ code: number; results: Replayed[]; stderr: string }> {
  const argv = ['metrics', 'replay', ...args, '--json', '--config', stack.configFile];
  const run = await promisify(execFile)(join('bin', 'holdfast'), argv, { maxBuffer: 1e8 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: unknown) => error as { code: number; stdout: string; stderr: string },
  );
  return {
    code: run.code,
    results: run.stdout === '' ? [] : (JSON.parse(run.stdout) as Replayed[]),
    stderr: run.stderr,
  };
}

function counts(results: readonly Replayed[]): Record<string, number> {
  const by: Record<string, number> = {};
  for (const { outcome } of results) by[outcome] = (by[outcome] ?? 0) + 1;
  return by;
}

describe('holdfast metrics replay', () => {
  it('says which without touching anything, since when, and how many at most', async () => {
    const before = front.seen.count;
    expect(before).toBeGreaterThan(0); // the worker has had its queries checked
    expect(counts((await replay('--failed', '--dry-run')).results)).toEqual({ would_replay: 43 });
    expect((await replay('--failed', '--dry-run', '--limit', '5')).results).toHaveLength(5);
    expect((await replay('--failed', '--dry-run', '--since', '1d')).results).toHaveLength(43);
    expect((await replay('--failed', '--dry-run', '--since', '2099-01-01')).results).toEqual([]);
    expect(front.seen.count).toBe(before);
  });

  it('is still failing, with the reason, while Prometheus is down or broken', async () => {
    const down = await replay('past-0');
    expect(down).toMatchObject({ code: 70, results: [{ id: 'past-0', workflowId: 'job/past-0', outcome: 'failed' }] });
    expect(down.results[0]?.reason).toMatch(/cannot be reached|middle of its answer/);

    await prometheus.start();
    front.mode = 503;
    expect((await replay('past-0')).results[0]?.reason).toMatch(/answered 503/);
    front.mode = 'half';
    expect((await replay('past-0')).results[0]?.reason).toMatch(/middle of its answer/);
    front.mode = 422;
    expect((await replay('past-0')).results[0]).toMatchObject({
      outcome: 'failed',
      reason: expect.stringMatching(/refused every query: cpu: .*422/),
    });
    front.mode = 'pass';
  });

  it('from two terminals at once collects each job once, tells each its outcome, and never asks too much at once', async () => {
    front.seen.mostAtOnce = 0;

    const [first, second] = await Promise.all([replay('--failed'), replay('--failed')]);

    for (const { code, results, stderr } of [first, second]) {
      expect(code).toBe(0);
      // What the other one had done before this one looked is no longer there to be done.
      expect(counts(results)).toEqual({ uploaded: expect.any(Number) as number, no_samples: 3 });
      expect(stderr).toContain(`3 no samples left, ${String(counts(results)['uploaded'])} uploaded`);
    }
    const told = new Map([...first.results, ...second.results].map((result) => [result.id, result]));
    expect(counts([...told.values()])).toEqual({ uploaded: 40, no_samples: 3 });
    expect(front.seen.mostAtOnce).toBeLessThanOrEqual(MAX_QUERIES);
    expect(front.seen.mostAtOnce).toBeGreaterThan(1);
    const reason = (id: string) => first.results.find((result) => result.id === id)?.reason;
    expect(reason('unseen-0')).toBe('Prometheus has no samples of machine hf-unseen-0 (it keeps 15 d)');
    expect(reason('expired-0')).toBe('no samples left: it keeps 15 d, and the job ended 20 d ago');
  });

  it('a second time has nothing to collect, and lists tell what it came to', async () => {
    const before = front.seen.count;

    const { results } = await replay('--failed');

    expect(results.map(({ id }) => id).sort()).toEqual(['expired-0', 'unseen-0', 'unseen-1']);
    expect((await stack.client.listJobs({ metrics: 'failed', limit: 100 })).length).toBe(3);
    // Also when those that are done are the newest: a limit is of what is found.
    expect((await stack.client.listJobs({ metrics: 'failed', limit: 2 })).length).toBe(2);
    expect((await stack.client.listJobs({ metrics: 'uploaded', limit: 100 })).length).toBe(40);
    const [job] = (await stack.client.listJobs({ limit: 100 })).filter(({ id }) => id === 'past-1');
    expect(job?.metrics).toBe('uploaded');
    const perJob = 3 + 6; // the last scrape, the beginning, the queries, and what Prometheus keeps
    expect(front.seen.count - before).toBeLessThanOrEqual(3 * perJob);
    expect((await replay('past-1')).results[0]).toMatchObject({ outcome: 'uploaded' });
  });

  it('has found flags, by which the jobs are found', async () => {
    const listed = async (...args: string[]) => {
      const argv = ['jobs', ...args, '--limit', '100', '--json', '--config', stack.configFile];
      const { stdout } = await promisify(execFile)(join('bin', 'holdfast'), argv, { maxBuffer: 1e8 });
      return JSON.parse(stdout) as { id: string; flags: string[] }[];
    };
    await until('the flags', async () => (await listed('--flag', 'one_core')).length === 40);

    expect((await listed('--flag', 'one_core')).every(({ flags }) => flags.join() === 'one_core')).toBe(true);
    expect(await listed('--flag', 'one_core', '--state', 'failed')).toEqual([]);
    expect(await listed('--flag', 'another')).toEqual([]);
    expect(await (await fetch(`${stack.webUrl}/?flag=one_core`)).text()).toContain('/jobs/job/past-7');
    expect((await stack.client.listJobs({ metrics: 'uploaded', flag: 'one_core', limit: 5 })).length).toBe(5);
  });

  it('goes on after an interruption: what is done is done', async () => {
    const more = failedJobs(12, END_MS, 'later');
    await prometheus.stop();
    writePastSamples(
      prometheus.dataDirectory,
      more.map(({ past }) => past),
    );
    await prometheus.start();
    await writeFailedJobs(stack.client, stack.engine, more);
    await until(
      'the new jobs',
      async () => (await stack.client.listJobs({ metrics: 'failed', limit: 100 })).length === 15,
    );
    const child = execFile(join('bin', 'holdfast'), [
      ...['metrics', 'replay', ...more.map(({ id }) => id), '--rate', '2', '--config', stack.configFile],
    ]);
    let stderr = '';
    child.stderr?.on('data', (chunk: string) => (stderr += chunk));
    await until(
      'some of them',
      async () => (await stack.client.listJobs({ metrics: 'failed', limit: 100 })).length < 13,
    );
    child.kill('SIGINT');
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(130);
    expect(stderr).toMatch(/interrupted: \d+ are left; the same command goes on with them/);

    const { results } = await replay(...more.map(({ id }) => id));

    expect(counts(results)).toEqual({ uploaded: 12 });
  });
});
