import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.js';
import { checkQueries, findRefusedQueries } from '../../../src/metrics/check-queries.js';
import { collectMetrics, type CollectRequest } from '../../../src/metrics/collect.js';
import { createPrometheusClient, type PrometheusClient } from '../../../src/metrics/prometheus-client.js';
import { HOLDFAST_QUERIES, QUERY_PRESETS } from '../../../src/metrics/queries.js';
import { RULE_PRESET_NAMES, toRules } from '../../../src/metrics/rules.js';
import { openPrometheus } from '../../../src/worker/metrics-parts.js';
import { until } from '../../support/processes.js';
import { startFront, type Front } from '../../support/prometheus/front.js';
import { PAST_MEMORY_BYTES, writePastSamples } from '../../support/prometheus/samples.js';
import { createPrometheusServer, type PrometheusServer } from '../../support/prometheus/server.js';

const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;
/** Whole seconds, some hours ago: what a replay finds. */
const END_MS = Math.floor(Date.now() / 1000) * 1000 - 4 * HOUR_MS;

let directory: string;
let server: PrometheusServer;
let front: Front;
const opened: PrometheusClient[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-prometheus-'));
  server = await createPrometheusServer({ directory });
  fillWithThePast();
  await server.start();
  front = await startFront(server.url);
});
afterEach(async () => {
  front.mode = 'pass';
  front.requireHeaders = {};
  for (const client of opened.splice(0)) await client.close();
});
afterAll(async () => {
  await front.close();
  await server.stop();
  rmSync(directory, { recursive: true });
});

function fillWithThePast(): void {
  writePastSamples(server.dataDirectory, [
    { machine: 'hf-hour', startMs: END_MS - HOUR_MS, endMs: END_MS + 10_000, everyMs: 5000 },
    { machine: 'hf-day', startMs: END_MS - 24 * HOUR_MS, endMs: END_MS + 30_000, everyMs: 15_000 },
    { machine: 'hf-late', startMs: END_MS - HOUR_MS / 4, endMs: END_MS + 10_000, everyMs: 5000 },
  ]);
}

function clientOf(url: string, more: { timeoutMs?: number; headers?: Record<string, string> } = {}): PrometheusClient {
  const client = createPrometheusClient({ url, ...more });
  opened.push(client);
  return client;
}

function requestOf(machine: string, changes: Partial<CollectRequest> = {}): CollectRequest {
  return {
    job: 'job/1',
    name: 'build',
    project: '',
    machine,
    engine: 'local',
    selector: { name: 'machine', value: machine },
    window: { startMs: END_MS - HOUR_MS, endMs: END_MS - 1000 },
    stages: [],
    queries: HOLDFAST_QUERIES,
    stepMs: 5000,
    scrapeWaitMs: 15_000,
    aggregate: 'sum',
    ...changes,
  };
}

function valuesOf(document: Awaited<ReturnType<typeof collectMetrics>>, query: string): number[] {
  return document.series
    .filter((series) => series.query === query)
    .flatMap(({ values }) => values.map(([, v]) => Number(v)));
}

describe('the queries of the configuration', () => {
  it.each(Object.entries(QUERY_PRESETS))(
    'of preset %s are taken by a real Prometheus, and so are all rules',
    async (_, queries) => {
      const rules = toRules(RULE_PRESET_NAMES.map((preset) => ({ preset })));

      expect(await findRefusedQueries(clientOf(server.url), { queries, rules, stepMs: 5000 })).toEqual([]);
    },
  );

  it('that it refuses are named, each with its words', async () => {
    const queries = {
      good: 'sum:rate5m{{selector}}',
      broken: 'rate(x{{selector}}[{interval}]',
      typed: 'rate(x{{selector}})',
    };
    const rules = [{ name: 'odd', query: 'x >', threshold: 1, longerThanMs: 0 }];

    const check = checkQueries(clientOf(server.url), { queries, rules, stepMs: 5000 });

    await expect(check).rejects.toMatchObject({ code: 'PROMETHEUS_REFUSED', retryable: false });
    const message = await check.then(String, String);
    expect(message).toMatch(/refuses 3 of the configured queries/);
    expect(message).toMatch(/metrics\.queries\.broken: .*parse error/);
    expect(message).toMatch(/metrics\.queries\.typed: .*expected type range vector/);
    expect(message).toMatch(/metrics\.rules odd: .*parse error/);
    expect(message).not.toContain('good');
  });
});

describe('a job of an hour', () => {
  it('has its graphs, its sums and its rhythm', async () => {
    const document = await collectMetrics(clientOf(server.url), requestOf('hf-hour'), signal);

    expect(document).toMatchObject({ outcome: 'samples', scrapeIntervalMs: 5000, skipped: [], coverage: 1 });
    expect(new Set(document.series.map(({ query }) => query))).toEqual(new Set(Object.keys(HOLDFAST_QUERIES)));
    // At its ends a rate knows less.
    for (const value of valuesOf(document, 'cpu').slice(1, -1)) expect(value).toBeCloseTo(1, 1);
    for (const value of valuesOf(document, 'memory')) expect(value).toBe(PAST_MEMORY_BYTES);
    expect(Math.abs(document.totals!.cpuSeconds! - 3600)).toBeLessThanOrEqual(5);
    expect(document.totals!.diskWrittenBytes! / 1e6).toBeCloseTo(document.totals!.cpuSeconds!, 3);
  });

  it('of which Prometheus saw a quarter says so', async () => {
    const { coverage } = await collectMetrics(clientOf(server.url), requestOf('hf-late'), signal);

    expect(coverage).toBeGreaterThan(0.2);
    expect(coverage).toBeLessThan(0.3);
  });

  it('is flagged by the presets when it was at one core with the same memory all the time', async () => {
    const rules = toRules(RULE_PRESET_NAMES.map((preset) => ({ preset })));
    const flagsOf = async (changes: Partial<CollectRequest>) =>
      (await collectMetrics(clientOf(server.url), requestOf('hf-hour', { rules, ...changes }), signal)).flags?.map(
        ({ name }) => name,
      );

    expect(await flagsOf({ limits: { cpus: 1, memoryBytes: null } })).toEqual(['cpu_pegged', 'memory_flat']);
    expect(await flagsOf({ limits: { cpus: 2, memoryBytes: null } })).toEqual([]);
    const strict = toRules([{ preset: 'outbound_traffic', threshold: 500_000 }]);
    expect(await flagsOf({ rules: strict })).toEqual(['outbound_traffic']);
  });
});

describe('a job of a day', () => {
  it('is a graph of at most 1,000 points over its whole time, and its sums are right', async () => {
    const window = { startMs: END_MS - 24 * HOUR_MS, endMs: END_MS - 1000 };

    const document = await collectMetrics(clientOf(server.url), requestOf('hf-day', { window }), signal);

    const points = document.series.find(({ query }) => query === 'cpu')?.values ?? [];
    expect(points.length).toBeGreaterThan(900);
    expect(points.length).toBeLessThanOrEqual(1000);
    expect(points.at(-1)?.[0]).toBe(document.window.endMs / 1000);
    expect(document.totals?.cpuSeconds).toBeCloseTo(86_400, -3);
  });
});

describe('what a server does wrong', () => {
  const collect = (more: Parameters<typeof clientOf>[1] = {}) =>
    collectMetrics(clientOf(front.url, more), requestOf('hf-hour'), signal);

  it.each([
    [503 as const, 'PROMETHEUS_FAULT', /answered 503: told to answer 503/],
    [429 as const, 'PROMETHEUS_FAULT', /answered 429/],
    [401 as const, 'PROMETHEUS_DENIED', /answered 401/],
    ['half' as const, 'PROMETHEUS_FAULT', /broke off in the middle of its answer/],
  ])('(%s) is told as it is, and tried again', async (mode, code, message) => {
    front.mode = mode;

    await expect(collect()).rejects.toMatchObject({ code, retryable: true, message: expect.stringMatching(message) });
  });

  it('(slow) is a time-out, and tried again', async () => {
    front.mode = 'hang';

    await expect(collect({ timeoutMs: 200 })).rejects.toMatchObject({
      code: 'PROMETHEUS_TIMEOUT',
      retryable: true,
      message: expect.stringMatching(/did not answer within 0.2 s/),
    });
  });

  it('(422 to everything) is a document that says so of each query', async () => {
    front.mode = 422;

    const document = await collect();

    expect(document.outcome).toBe('refused');
    expect(document.skipped.map(({ query }) => query)).toEqual(Object.keys(HOLDFAST_QUERIES));
    expect(document.skipped[0]?.reason).toMatch(/answered 422: told to answer 422/);
  });

  it('(down) cannot be reached; (up again) is asked as if nothing had been; (data lost) has no samples', async () => {
    await server.stop();
    await expect(collectMetrics(clientOf(server.url), requestOf('hf-hour'), signal)).rejects.toMatchObject({
      code: 'PROMETHEUS_UNREACHABLE',
      retryable: true,
    });
    await server.start();
    expect((await collectMetrics(clientOf(server.url), requestOf('hf-hour'), signal)).outcome).toBe('samples');

    await server.stopAndLose();
    await server.start();
    expect((await collectMetrics(clientOf(server.url), requestOf('hf-hour'), signal)).outcome).toBe('no_samples');

    await server.stop();
    fillWithThePast();
    await server.start();
  });
});

describe('how it lets us in', () => {
  it('with the headers of a tenant and a bearer token from a file', async () => {
    const bearerTokenFile = join(directory, 'token');
    writeFileSync(bearerTokenFile, 'letmein\n');
    front.requireHeaders = { authorization: 'Bearer letmein', 'x-scope-orgid': 'team-a' };
    const client = openPrometheus(
      parseConfig(
        { metrics: { prometheusUrl: front.url, bearerTokenFile, headers: { 'X-Scope-OrgID': 'team-a' } } },
        'test',
      ),
    )!;
    opened.push(client);

    expect((await collectMetrics(client, requestOf('hf-hour'), signal)).outcome).toBe('samples');
    await expect(clientOf(front.url).query('up')).rejects.toMatchObject({ code: 'PROMETHEUS_DENIED' });
  });

  it('over TLS of an own authority, with a password and a client certificate', async () => {
    const tls = makeCertificates(directory);
    const secured = await createPrometheusServer({
      directory: mkdtempSync(join(directory, 'tls-')),
      web: {
        tls_server_config: {
          cert_file: tls.cert,
          key_file: tls.key,
          client_auth_type: 'RequireAndVerifyClientCert',
          client_ca_file: tls.ca,
        },
        basic_auth_users: { holdfast: '$2b$05$mHEO1wKrx.BstVHHvk2TVuzi4N9FUlbcJMXSVQXI.BCjCYsebB6iO' },
      },
    });
    await secured.start();
    const passwordFile = join(directory, 'password');
    writeFileSync(passwordFile, 'secret\n');
    const open = (metrics: object) => {
      const client = openPrometheus(parseConfig({ metrics: { prometheusUrl: secured.url, ...metrics } }, 'test'))!;
      opened.push(client);
      return client;
    };
    const basicAuth = { username: 'holdfast', passwordFile };
    const mutual = { ca: tls.ca, cert: tls.cert, key: tls.key };
    try {
      const welcome = open({ ...mutual, basicAuth });
      const isReady = () =>
        welcome.ready().then(
          () => true,
          () => false,
        );
      await until('an open database', isReady);
      await expect(welcome.query('vector(1)')).resolves.toHaveLength(1);
      await expect(open(mutual).query('vector(1)')).rejects.toMatchObject({ code: 'PROMETHEUS_DENIED' });
      await expect(open({ basicAuth }).query('vector(1)')).rejects.toMatchObject({
        code: 'PROMETHEUS_UNREACHABLE',
        message: expect.stringMatching(/SELF_SIGNED|certificate|UNABLE_TO_VERIFY/i),
      });
    } finally {
      await secured.stop();
    }
  });
});

describe('retention', () => {
  it('is what Prometheus says', async () => {
    expect(await clientOf(server.url).retention()).toBe(15 * 86_400_000);
  });
});

/** An authority that signs itself, and is server and client at once. */
function makeCertificates(where: string): { ca: string; cert: string; key: string } {
  const cert = join(where, 'cert.pem');
  const key = join(where, 'key.pem');
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...made, ...subject], { stdio: 'ignore' });
  expect(readFileSync(cert, 'utf8')).toContain('CERTIFICATE');
  return { ca: cert, cert, key };
}
