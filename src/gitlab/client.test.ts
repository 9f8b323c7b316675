import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { startStandIn, type SeenRequest, type StandIn, type StandInAnswer } from '../../test/support/http-stand-in.js';
import { createGitlabClient, type GitlabClient } from './client.js';
import { apiUrl, createHttp, type Http } from './http.js';
import { FEATURES, runnerInfo } from './info.js';

let standIn: StandIn | undefined;
let client: GitlabClient | undefined;
let counted: string[];

afterEach(async () => {
  await client?.close();
  await standIn?.close();
});

async function open(answer: (request: SeenRequest) => StandInAnswer | Promise<StandInAnswer>): Promise<GitlabClient> {
  counted = [];
  standIn = await startStandIn(answer);
  client = createGitlabClient({
    http: createHttp({
      url: standIn.url,
      observe: (endpoint, status) => counted.push(`${endpoint} ${String(status)}`),
    }),
    token: () => 'glrt-secret',
    systemId: 'r_0123456789ab',
    info: runnerInfo(),
    now: () => 0,
  });
  return client;
}

const JOB = { id: 4711, token: 'glcbt-64_secret' };
const last = () => standIn!.seen.at(-1)!;
const json = (body: Buffer) => JSON.parse(body.toString('utf8')) as Record<string, unknown>;

describe('address', () => {
  it.each([
    ['https://gitlab.example.com', 'https://gitlab.example.com/api/v4/'],
    ['https://gitlab.example.com/', 'https://gitlab.example.com/api/v4/'],
    ['https://gitlab.example.com/ci', 'https://gitlab.example.com/api/v4/'],
    ['https://example.com/gitlab/', 'https://example.com/gitlab/api/v4/'],
  ])('%s becomes %s', (given, expected) => {
    expect(apiUrl(given)).toBe(expected);
  });
});

describe('every request', () => {
  it('says who asks, with an id of its own', async () => {
    const api = await open(() => ({ status: 204 }));

    await api.requestJob();
    await api.requestJob();

    const [first, second] = standIn!.seen;
    expect(first!.headers['user-agent']).toMatch(/^holdfast /);
    expect(first!.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
    expect(second!.headers['x-request-id']).not.toBe(first!.headers['x-request-id']);
  });

  it('is counted by endpoint and status, -1 when there was no answer', async () => {
    const answers: StandInAnswer[] = [{ status: 204 }, 'reset'];
    const api = await open(() => answers.shift()!);

    await api.requestJob();
    await api.job(JOB).updateJob({ state: 'running' });

    expect(counted).toEqual(['request_job 204', 'update_job -1']);
  });
});

describe('jobs/request', () => {
  it('sends token, system id, last_update and all 31 features', async () => {
    const api = await open(() => ({ status: 204, headers: { 'x-gitlab-last-update': 'abc' } }));

    const outcome = await api.requestJob({ lastUpdate: 'before' });

    expect(outcome).toEqual({ kind: 'none', lastUpdate: 'abc' });
    expect(last().path).toBe('/api/v4/jobs/request');
    expect(last().headers['runner-token']).toBe('glrt-secret');
    expect(json(last().body)).toMatchObject({
      token: 'glrt-secret',
      system_id: 'r_0123456789ab',
      last_update: 'before',
      info: { executor: 'docker', features: FEATURES },
    });
    expect(Object.keys(FEATURES)).toHaveLength(31);
  });

  it('hands a job over as it came, byte for byte', async () => {
    const body = '{"id": 1,   "token":"x"}';
    const api = await open(() => ({ status: 201, headers: { 'content-type': 'application/json' }, body }));

    const outcome = await api.requestJob();

    expect(outcome.kind === 'job' && outcome.body.toString()).toBe(body);
    expect(json(last().body)).not.toHaveProperty('last_update');
  });

  it('hands a job over that is too large, as far as it may be read: GitLab is to be told', async () => {
    const body = `{"id":1,"token":"x","variables":[{"key":"A","value":"${'x'.repeat(17 * 1024 * 1024)}"}]}`;
    const api = await open(() => ({ status: 201, headers: { 'content-type': 'application/json' }, body }));

    const outcome = await api.requestJob();

    expect(outcome.kind === 'job' && outcome.body.length).toBe(16 * 1024 * 1024);
  });

  it.each([
    [{ 'content-type': 'text/html' }, '<html>'],
    [{ 'content-type': 'application/json' }, '<html>'],
    [{ 'content-type': 'application/json' }, '{"id":"1"}'],
    [{}, '{"id":1,"token":"x"}'],
  ])('takes no 201 for a job that is none: %j %s', async (headers, body) => {
    const api = await open(() => ({ status: 201, headers, body }));

    expect(await api.requestJob()).toMatchObject({ kind: 'unavailable', answered: true });
  });

  it.each([
    [
      { status: 403, body: '{"message":"403 Forbidden"}' },
      { kind: 'forbidden', reason: 'status 403: 403 Forbidden' },
    ],
    [{ status: 409 }, { kind: 'conflict', reason: 'status 409' }],
    [
      { status: 422, body: '{"message":{"tag":["is bad","is old"]}}' },
      { kind: 'conflict', reason: 'status 422: tag is bad, is old' },
    ],
    [
      { status: 500, body: '<html>' },
      { kind: 'unavailable', reason: 'status 500', answered: false },
    ],
    [
      { status: 429, headers: { 'retry-after': '7' } },
      { kind: 'unavailable', reason: 'status 429', retryAfterMs: 7_000, answered: true },
    ],
    [
      { status: 503, headers: { 'ratelimit-resettime': 'Thu, 01 Jan 1970 00:00:30 GMT' } },
      { kind: 'unavailable', reason: 'status 503', retryAfterMs: 30_000, answered: false },
    ],
  ])('%j means %j', async (answer, expected) => {
    const api = await open(() => answer);

    expect(await api.requestJob()).toEqual(expected);
  });

  it.each(['reset', 'half'] as const)('a connection that breaks (%s) is no answer', async (fault) => {
    const api = await open(() => fault);

    expect(await api.requestJob()).toMatchObject({ kind: 'unavailable', answered: false });
  });

  it('waits for as long as a front end may hold it', async () => {
    const waitedMs: number[] = [];
    const http: Http = {
      baseUrl: 'http://gitlab.example/api/v4/',
      send: ({ timeoutMs }) => {
        waitedMs.push(timeoutMs);
        return Promise.resolve({ kind: 'broken', reason: 'for this test' });
      },
      open: () => Promise.resolve({ kind: 'broken', reason: 'for this test' }),
      close: () => Promise.resolve(),
    };
    const options = { http, token: () => 'glrt-x', systemId: 'r_0123456789ab', info: runnerInfo() };

    await createGitlabClient(options).requestJob();

    expect(waitedMs).toEqual([600_000]);
  });

  it('ends with the reason of the signal when it is cut', async () => {
    const api = await open(() => 'hang');
    const cut = new AbortController();
    const asked = api.requestJob({ signal: cut.signal });

    cut.abort(new Error('stop'));

    await expect(asked).rejects.toThrow('stop');
  });
});

describe('verify', () => {
  it.each([
    [
      { status: 200, body: '{"id":7,"token":"t","token_expires_at":null}' },
      { kind: 'valid', runnerId: 7, expiresAt: null },
    ],
    [
      { status: 200, body: '200' },
      { kind: 'valid', runnerId: null, expiresAt: null },
    ],
    [{ status: 403 }, { kind: 'invalid', reason: 'status 403' }],
    [{ status: 422 }, { kind: 'invalid', reason: 'status 422' }],
    [{ status: 502 }, { kind: 'unavailable', reason: 'status 502', answered: false }],
  ])('%j means %j', async (answer, expected) => {
    const api = await open(() => answer);

    expect(await api.verify()).toMatchObject(expected);
  });
});

describe('PATCH trace', () => {
  const patch = (api: GitlabClient, offset = 100) => api.job(JOB).patchTrace({ offset, bytes: Buffer.from('hello') });

  it('names the place of its bytes', async () => {
    const api = await open(() => ({
      status: 202,
      headers: { range: '0-105', 'job-status': 'running', 'x-gitlab-trace-update-interval': '60' },
    }));

    expect(await patch(api)).toEqual({ kind: 'accepted', jobStatus: 'running', intervalMs: 60_000 });
    expect(last()).toMatchObject({ method: 'PATCH', path: '/api/v4/jobs/4711/trace', body: Buffer.from('hello') });
    expect(last().headers).toMatchObject({
      'job-token': JOB.token,
      'content-type': 'text/plain',
      'content-range': '100-104',
    });
    expect(last().query.get('debug_trace')).toBe('false');

    await api.job({ ...JOB, debugTrace: true }).patchTrace({ offset: 0, bytes: Buffer.from('x') });
    expect(last().query.get('debug_trace')).toBe('true');
  });

  it.each([
    [
      { status: 416, headers: { range: '0-42' } },
      { kind: 'misplaced', size: 42 },
    ],
    [{ status: 416 }, { kind: 'misplaced', size: null }],
    [{ status: 403 }, { kind: 'refused', jobStatus: null }],
    [
      { status: 403, headers: { 'job-status': 'failed' } },
      { kind: 'refused', jobStatus: 'failed' },
    ],
    [
      { status: 202, headers: { 'job-status': 'canceled' } },
      { kind: 'refused', jobStatus: 'canceled' },
    ],
    [{ status: 404 }, { kind: 'unknown' }],
    [{ status: 500 }, { kind: 'unavailable', reason: 'status 500', answered: false }],
  ])('%j means %j', async (answer, expected) => {
    const api = await open(() => answer);

    expect(await patch(api)).toEqual(expected);
  });

  it.each([400, 403, 404, 409, 416, 429, 500])(
    'hears that the job is to be canceled, whatever the code (%i)',
    async (status) => {
      const api = await open(() => ({ status, headers: { 'job-status': 'canceling', range: '0-42' } }));

      expect(await patch(api)).toMatchObject({ jobStatus: 'canceling' });
    },
  );

  it.each(['created', 'pending', 'preparing', 'waiting_for_resource'])(
    'a 403 that says "%s" is passing: a database replica lags',
    async (status) => {
      const api = await open(() => ({ status: 403, headers: { 'job-status': status } }));

      expect(await patch(api)).toMatchObject({ kind: 'unavailable', answered: true });
    },
  );
});

describe('PUT job', () => {
  it('sends the final status with checksum, size, reason and exit code', async () => {
    const api = await open(() => ({ status: 200, headers: { 'job-status': 'failed' }, body: '200' }));

    const outcome = await api.job(JOB).updateJob({
      state: 'failed',
      failureReason: 'script_failure',
      exitCode: 2,
      output: { checksum: 'crc32:1a2b3c4d', bytesize: 20480 },
    });

    expect(outcome).toEqual({ kind: 'accepted', jobStatus: 'failed' });
    expect(json(last().body)).toMatchObject({
      token: JOB.token,
      state: 'failed',
      failure_reason: 'script_failure',
      checksum: 'crc32:1a2b3c4d',
      output: { checksum: 'crc32:1a2b3c4d', bytesize: 20480 },
      exit_code: 2,
    });
  });

  it('leaves out an exit code of 0 and an empty reason', async () => {
    const api = await open(() => ({ status: 200 }));

    await api.job(JOB).updateJob({ state: 'success', exitCode: 0 });

    expect(json(last().body)).not.toHaveProperty('exit_code');
    expect(json(last().body)).not.toHaveProperty('failure_reason');
  });

  it.each([
    [
      { status: 202, headers: { 'x-gitlab-trace-update-interval': '2' } },
      { kind: 'waiting', jobStatus: null, intervalMs: 2_000 },
    ],
    [{ status: 412 }, { kind: 'resend', jobStatus: null }],
    [
      { status: 403, headers: { 'job-status': 'success' } },
      { kind: 'refused', jobStatus: 'success' },
    ],
    [{ status: 404 }, { kind: 'unknown' }],
    [{ status: 409 }, { kind: 'unavailable', reason: 'status 409', answered: true }],
    [{ status: 400 }, { kind: 'unavailable', reason: 'status 400', answered: true }],
  ])('%j means %j', async (answer, expected) => {
    const api = await open(() => answer);

    expect(await api.job(JOB).updateJob({ state: 'success' })).toEqual(expected);
  });

  it.each([200, 202, 400, 403, 404, 409, 412, 429, 500])(
    'hears from a sign of life that the job has ended, whatever the code (%i)',
    async (status) => {
      const api = await open(() => ({ status, headers: { 'job-status': 'canceled' } }));

      expect(await api.job(JOB).updateJob({ state: 'running' })).toEqual({ kind: 'refused', jobStatus: 'canceled' });
    },
  );

  it.each([202, 400, 403, 404, 409, 412, 429, 500])(
    'hears from a final status that the job has ended, whatever the code (%i)',
    async (status) => {
      const api = await open(() => ({ status, headers: { 'job-status': 'failed' } }));

      expect(await api.job(JOB).updateJob({ state: 'success' })).toEqual({ kind: 'refused', jobStatus: 'failed' });
    },
  );

  it.each([200, 202, 400, 403, 409, 412, 429, 500])(
    'hears from a sign of life that the job is to be canceled, whatever the code (%i)',
    async (status) => {
      const api = await open(() => ({ status, headers: { 'job-status': 'canceling' } }));

      expect(await api.job(JOB).updateJob({ state: 'running' })).toMatchObject({ jobStatus: 'canceling' });
    },
  );

  it.each(['success', 'failed', 'canceled'])('takes 200 to a final status for its end (%s)', async (jobStatus) => {
    const api = await open(() => ({ status: 200, headers: { 'job-status': jobStatus } }));

    expect(await api.job(JOB).updateJob({ state: 'failed' })).toEqual({ kind: 'accepted', jobStatus });
  });

  it('takes a sign of life answered with an ended job for the end', async () => {
    const api = await open(() => ({ status: 200, headers: { 'job-status': 'canceled' } }));

    expect(await api.job(JOB).updateJob({ state: 'running' })).toEqual({ kind: 'refused', jobStatus: 'canceled' });
  });
});

describe('artifacts', () => {
  const upload = (api: GitlabClient, bytes: Buffer, name = 'artifacts.zip') =>
    api.job(JOB).uploadArtifact({
      name,
      type: 'archive',
      format: 'zip',
      expireIn: '1 week',
      bytes: bytes.length,
      content: () => Promise.resolve(Readable.from([bytes.subarray(0, 3), bytes.subarray(3)], { objectMode: false })),
    });

  it('go as one file of a form, byte for byte, options in the query', async () => {
    const api = await open(() => ({ status: 201, body: '201' }));
    const bytes = Buffer.from('PK\0\r\n--x\r\nbinary');

    expect(await upload(api, bytes)).toEqual({ kind: 'stored' });

    const form = await new Response(new Uint8Array(last().body), {
      headers: { 'content-type': last().headers['content-type']! },
    }).formData();
    const file = form.get('file') as File;
    expect(file.name).toBe('artifacts.zip');
    expect(Buffer.from(await file.arrayBuffer())).toEqual(bytes);
    expect(Object.fromEntries(last().query)).toEqual({
      expire_in: '1 week',
      artifact_format: 'zip',
      artifact_type: 'archive',
    });
    expect(last().headers['job-token']).toBe(JOB.token);
  });

  it('cannot be given a name that ends the header', async () => {
    const api = await open(() => ({ status: 201 }));

    await upload(api, Buffer.from('abcdef'), 'a"\r\nX-Evil: 1');

    expect(last().body.toString('latin1')).toContain('filename="a%22%0D%0AX-Evil: 1"');
  });

  it.each([
    [{ status: 413 }, { kind: 'tooLarge' }],
    [
      { status: 403, headers: { 'job-status': 'success' } },
      { kind: 'refused', jobStatus: 'success' },
    ],
    [
      { status: 400, body: '{"message":"another artifact of the same type already exists"}' },
      { kind: 'rejected', status: 400 },
    ],
    [{ status: 405 }, { kind: 'rejected', status: 405 }],
    [{ status: 503 }, { kind: 'unavailable' }],
    [{ status: 429 }, { kind: 'unavailable' }],
  ])('%j means %j', async (answer, expected) => {
    const api = await open(() => answer);

    expect(await upload(api, Buffer.from('abcdef'))).toMatchObject(expected);
  });
});
