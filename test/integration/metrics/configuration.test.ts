import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { freePort } from '../../support/processes.js';
import { createPrometheusServer, type PrometheusServer } from '../../support/prometheus/server.js';

let directory: string;
let server: PrometheusServer;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-queries-'));
  server = await createPrometheusServer({ directory });
  await server.start();
});
afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true });
});

/** A configuration of which everything but Prometheus is out of reach. */
async function configFile(metrics: object): Promise<string> {
  const file = join(directory, 'holdfast.yaml');
  const nowhere = `127.0.0.1:${String(await freePort())}`;
  const store = { directory: join(directory, 'store') };
  writeFileSync(
    file,
    stringify({ temporal: { address: nowhere }, store, metrics: { prometheusUrl: server.url, ...metrics } }),
  );
  return file;
}

async function run(command: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return await promisify(execFile)(command, args, { timeout: 60_000 }).then(
    (said) => ({ code: 0, ...said }),
    (error: unknown) => error as { code: number; stdout: string; stderr: string },
  );
}

const BROKEN = { queries: { good: 'up{{selector}}', gpu: 'rate(gpu_seconds_total{{selector}}' } };

describe('a query that Prometheus refuses', () => {
  it('stops the worker at its start, and the message names it', async () => {
    const { code, stderr } = await run(process.execPath, 'dist/worker.js', '--config', await configFile(BROKEN));

    expect(code).toBe(64);
    expect(stderr).toMatch(/refuses 1 of the configured queries:\s+metrics\.queries\.gpu: .*parse error/);
    expect(stderr).toContain('as sent: rate(gpu_seconds_total{machine="holdfast-check"}');
  });

  it('is told by holdfast check, as are good ones', async () => {
    const prometheusOf = async (metrics: object) => {
      const { stdout } = await run('bin/holdfast', 'check', '--json', '--config', await configFile(metrics));
      const { checks } = JSON.parse(stdout) as { checks: { what: string; ok: boolean; detail: string }[] };
      return checks.find(({ what }) => what.startsWith('prometheus'));
    };

    expect(await prometheusOf(BROKEN)).toMatchObject({
      ok: false,
      detail: expect.stringContaining('metrics.queries.gpu'),
    });
    expect(await prometheusOf({ preset: 'cadvisor', rules: [{ preset: 'memory_flat' }] })).toMatchObject({
      ok: true,
      detail: 'is ready and accepts 7 queries and 1 rules',
    });
  });

  it('of a rule is named as well', async () => {
    const rules = [{ name: 'odd', query: 'up{{selector}} >', threshold: 1 }];

    const { stderr } = await run(process.execPath, 'dist/worker.js', '--config', await configFile({ rules }));

    expect(stderr).toMatch(/metrics\.rules odd: .*parse error/);
  });
});

describe('what is no configuration', () => {
  it.each([
    [{ preset: 'cadviser' }, /metrics\.preset/],
    [{ rules: [{ preset: 'cpu_peged' }] }, /metrics\.rules\.0\.preset: .*cpu_pegged/],
    [{ queries: { cpu: { promql: 'up', aggregat: 'max' } } }, /metrics\.queries\.cpu/],
    [{ maxQueries: 0 }, /metrics\.maxQueries/],
  ])('%j is refused by name', async (metrics, message) => {
    const { code, stderr } = await run(process.execPath, 'dist/worker.js', '--config', await configFile(metrics));

    expect(code).toBe(64);
    expect(stderr).toMatch(message);
  });
});
