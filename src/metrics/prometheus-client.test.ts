import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { createPrometheusClient, PrometheusError, type PrometheusOptions } from './prometheus-client.js';

const open: Server[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

async function clientOf(listener: RequestListener, options: Partial<PrometheusOptions> = {}) {
  return createPrometheusClient({ url: await serve(listener), timeoutMs: 2000, ...options });
}

function answer(status: number, body: string): RequestListener {
  return (_request, response) => response.writeHead(status).end(body);
}

function matrix(result: unknown): string {
  return JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } });
}

const range = { startMs: 1500, endMs: 11_500, stepMs: 5000 };

describe('a range query', () => {
  it('is sent as a form with times in seconds and gives each series with its labels', async () => {
    let seen:
      { path: string | undefined; form: Record<string, string>; headers: IncomingMessage['headers'] } | undefined;
    const client = await clientOf(
      (request, response) => {
        void text(request).then((body) => {
          seen = { path: request.url, form: Object.fromEntries(new URLSearchParams(body)), headers: request.headers };
          response.end(matrix([{ metric: { machine: 'hf-1' }, values: [[1.5, '0.5']] }]));
        });
      },
      { headers: { authorization: 'Bearer abc', 'x-scope-orgid': 'team' } },
    );

    expect(await client.queryRange('up{a="ä+&"}', range)).toEqual([
      { labels: { machine: 'hf-1' }, values: [[1.5, '0.5']] },
    ]);
    expect(seen?.path).toBe('/api/v1/query_range');
    expect(seen?.form).toEqual({ query: 'up{a="ä+&"}', start: '1.500', end: '11.500', step: '5.000' });
    expect(seen?.headers).toMatchObject({ authorization: 'Bearer abc', 'x-scope-orgid': 'team' });
  });

  it('keeps the prefix of an address', async () => {
    let path: string | undefined;
    const url = await serve((request, response) => {
      path = request.url;
      response.end(matrix([]));
    });

    await createPrometheusClient({ url: `${url}/prometheus/` }).queryRange('up', range);

    expect(path).toBe('/prometheus/api/v1/query_range');
  });

  it('takes a native histogram for a series without points', async () => {
    const client = await clientOf(answer(200, matrix([{ metric: {}, histograms: [] }])));

    expect(await client.queryRange('h', range)).toEqual([{ labels: {}, values: [] }]);
  });
});

describe('an outcome other than an answer', () => {
  const json = JSON.stringify({ status: 'error', errorType: 'x', error: 'words of its own' });
  const cases: [string, RequestListener, string, boolean][] = [
    ['400, a bad query', answer(400, json), 'PROMETHEUS_REFUSED', false],
    ['422, one that cannot be executed', answer(422, json), 'PROMETHEUS_REFUSED', false],
    ['401, wrong credentials', answer(401, 'no'), 'PROMETHEUS_DENIED', true],
    ['404, a wrong address', answer(404, 'no'), 'PROMETHEUS_DENIED', true],
    ['302, a login page', answer(302, ''), 'PROMETHEUS_DENIED', true],
    ['503, overloaded', answer(503, json), 'PROMETHEUS_FAULT', true],
    ['429, too much', answer(429, ''), 'PROMETHEUS_FAULT', true],
    ['a body that is no JSON', answer(200, '<html>'), 'PROMETHEUS_FAULT', true],
    ['JSON of somebody else', answer(200, '{"status":"success","data":{}}'), 'PROMETHEUS_FAULT', true],
    ['half of the JSON', answer(200, matrix([]).slice(0, 20)), 'PROMETHEUS_FAULT', true],
    [
      'a connection that breaks in the middle of the body',
      (request, response) => {
        response.writeHead(200, { 'content-length': '1000' }).write('{"status":');
        setTimeout(() => request.socket.destroy(), 20);
      },
      'PROMETHEUS_FAULT',
      true,
    ],
    [
      'a connection that breaks before the answer',
      (request) => request.socket.destroy(),
      'PROMETHEUS_UNREACHABLE',
      true,
    ],
  ];

  it.each(cases)('is told apart: %s', async (_, listener, code, retryable) => {
    const client = await clientOf(listener);

    const error: unknown = await client.queryRange('up', range).catch((caught: unknown) => caught);

    expect(error).toBeInstanceOf(PrometheusError);
    expect(error).toMatchObject({ code, retryable });
  });

  it("carries Prometheus' own words", async () => {
    const client = await clientOf(answer(400, json));

    await expect(client.query('up')).rejects.toThrow(/answered 400: words of its own$/);
  });

  it('is unreachable when nothing listens', async () => {
    const client = createPrometheusClient({ url: 'http://127.0.0.1:1' });

    await expect(client.query('up')).rejects.toMatchObject({ code: 'PROMETHEUS_UNREACHABLE', retryable: true });
  });

  it.each([
    ['the head', () => undefined],
    ['the end', (_: unknown, response: { write(text: string): unknown }) => response.write('{')],
  ])('is a timeout when %s of the answer does not come', async (_, listener) => {
    const client = await clientOf(listener, { timeoutMs: 150 });

    await expect(client.query('up')).rejects.toMatchObject({ code: 'PROMETHEUS_TIMEOUT', retryable: true });
  });

  it("is the caller's own reason when the caller gives up", async () => {
    const client = await clientOf(() => undefined);

    await expect(client.query('up', AbortSignal.timeout(50))).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('never shows the password of an address', async () => {
    const client = createPrometheusClient({ url: 'http://user:hunter2@127.0.0.1:1' });

    await expect(client.query('up')).rejects.not.toThrow(/hunter2/);
  });
});

describe('checkQuery', () => {
  it('gives the reason of a refusal, and nothing for a good query', async () => {
    const refusing = await clientOf(answer(400, JSON.stringify({ status: 'error', error: 'parse error' })));
    const taking = await clientOf(answer(200, matrix([])));

    expect(await refusing.checkQuery('((')).toMatch(/parse error/);
    expect(await taking.checkQuery('up')).toBeUndefined();
  });

  it('fails when there is nobody to ask', async () => {
    const client = await clientOf(answer(503, ''));

    await expect(client.checkQuery('up')).rejects.toMatchObject({ code: 'PROMETHEUS_FAULT' });
  });
});

describe('ready', () => {
  it('takes a server without that page for ready, and a refusal for none', async () => {
    await (await clientOf(answer(404, ''))).ready();

    await expect((await clientOf(answer(503, ''))).ready()).rejects.toMatchObject({ code: 'PROMETHEUS_FAULT' });
    await expect((await clientOf(answer(401, ''))).ready()).rejects.toMatchObject({ code: 'PROMETHEUS_DENIED' });
  });
});
