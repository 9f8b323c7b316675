import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../processes.js';
import { startCoordinator, type TestCoordinator } from './coordinator.js';
import { checksumOf, type CoordinatorJob } from './job.js';

let coordinator: TestCoordinator;

beforeEach(async () => {
  coordinator = await startCoordinator();
});

afterEach(() => coordinator.close());

const features = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`f${String(index)}`, true]));

function call(
  method: string,
  path: string,
  init: { headers?: Record<string, string>; body?: string | FormData; signal?: AbortSignal } = {},
): Promise<Response> {
  return fetch(`${coordinator.url}/api/v4/${path}`, {
    method,
    redirect: 'manual',
    headers: { 'User-Agent': 'test', 'X-Request-Id': '0123456789abcdef0123456789abcdef', ...init.headers },
    ...(init.body === undefined ? {} : { body: init.body }),
    ...(init.signal === undefined ? {} : { signal: init.signal }),
  });
}

function request(changes: object = {}): Promise<Response> {
  const body = {
    token: coordinator.runnerToken,
    system_id: 's_0123456789ab',
    info: { features: { ...features, cancel_gracefully: true } },
    ...changes,
  };
  return call('POST', 'jobs/request', { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
}

async function running(...given: Parameters<TestCoordinator['addJob']>): Promise<CoordinatorJob> {
  const job = coordinator.addJob(...given);
  expect((await request()).status).toBe(201);
  return job;
}

function patch(job: CoordinatorJob, start: number, text: string): Promise<Response> {
  return call('PATCH', `jobs/${String(job.id)}/trace`, {
    headers: {
      'JOB-TOKEN': job.token,
      'Content-Range': `${String(start)}-${String(start + text.length - 1)}`,
      'Content-Type': 'text/plain',
    },
    body: text,
  });
}

function put(job: CoordinatorJob, state: string, changes: object = {}): Promise<Response> {
  const body = {
    token: job.token,
    state,
    output: { checksum: checksumOf(job.trace), bytesize: job.trace.length },
    ...changes,
  };
  return call('PUT', `jobs/${String(job.id)}`, {
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}

function upload(job: CoordinatorJob, bytes: string, query = ''): Promise<Response> {
  const form = new FormData();
  form.append('file', new Blob([bytes]), 'a.zip');
  return call('POST', `jobs/${String(job.id)}/artifacts${query}`, { headers: { 'JOB-TOKEN': job.token }, body: form });
}

describe('handing jobs over', () => {
  it('gives each job once, and says 204 with the queue’s value when there is none', async () => {
    const job = coordinator.addJob({ script: ['make'] });
    const first = await request();
    const second = await request();

    expect(first.status).toBe(201);
    expect(await first.json()).toMatchObject({ id: job.id, steps: [{ name: 'script', script: ['make'] }] });
    expect(second.status).toBe(204);
    expect(second.headers.get('X-GitLab-Last-Update')).toMatch(/^\d+$/);
    expect(coordinator.violations).toEqual([]);
  });

  it('refuses a wrong token', async () => {
    expect((await request({ token: 'wrong' })).status).toBe(403);
  });

  it('notes a runner that does not say what it can, or who it is', async () => {
    await request({ info: { features: {} }, system_id: 'me' });

    expect(coordinator.violations).toEqual(['request: system_id is me', 'request: 0 features instead of 31']);
  });

  it('holds a poll without news until there is some', async () => {
    await coordinator.close();
    coordinator = await startCoordinator({ longPollMs: 20_000 });
    const lastUpdate = (await request()).headers.get('X-GitLab-Last-Update');
    const held = request({ last_update: lastUpdate });
    await new Promise((resolve) => setTimeout(resolve, 100));
    coordinator.addJob();

    expect((await held).status).toBe(201);
  });
});

describe('a trace', () => {
  it('grows by what begins at its end; an exact repetition is taken as done', async () => {
    const job = await running();
    const first = await patch(job, 0, 'hello ');
    await patch(job, 6, 'world');
    const repeated = await patch(job, 6, 'world');

    expect(first.headers.get('Range')).toBe('0-6');
    expect(first.headers.get('Job-Status')).toBe('running');
    expect(repeated.status).toBe(202);
    expect(job.trace.toString()).toBe('hello world');
  });

  it('answers 416 with the true end to anything else', async () => {
    const job = await running();
    await patch(job, 0, 'hello');
    const stale = await patch(job, 0, 'hel');

    expect([stale.status, stale.headers.get('Range'), stale.headers.get('Job-Status')]).toEqual([416, '0-5', null]);
    expect(coordinator.violations).toEqual([]);
    expect((await patch(job, 9, 'x')).status).toBe(416);
    expect(coordinator.violations).toEqual(['trace: a gap, 9 after 5 bytes']);
  });

  it('fails the job when it is longer than the plan allows', async () => {
    await coordinator.close();
    coordinator = await startCoordinator({ traceLimitBytes: 3 });
    const job = await running();

    expect((await patch(job, 0, 'long')).status).toBe(403);
    expect(job.status).toBe('failed');
  });

  it('notes chunks that GitLab would not take', async () => {
    const job = await running();
    await call('PATCH', `jobs/${String(job.id)}/trace`, { headers: { 'JOB-TOKEN': job.token }, body: 'x' });
    await patch(job, 0, '');

    expect(coordinator.violations).toEqual([
      'trace: no Content-Range',
      'trace: Content-Range is 0--1',
      'trace: an empty body',
      ...coordinator.violations.slice(3),
    ]);
  });
});

describe('a final report', () => {
  it('decides when it is answered 200, not 202', async () => {
    const job = await running({}, { pendingReports: 2 });
    const answers = [await put(job, 'success'), await put(job, 'success'), await put(job, 'success')];

    expect(answers.map((answer) => [answer.status, answer.headers.get('X-GitLab-Trace-Update-Interval')])).toEqual([
      [202, '1'],
      [202, '2'],
      [200, '3'],
    ]);
    expect(job.status).toBe('success');
  });

  it('is refused afterwards, with the state that stands', async () => {
    const job = await running();
    await put(job, 'failed', { failure_reason: 'script_failure', exit_code: 3 });
    const again = await put(job, 'failed');

    expect([again.status, again.headers.get('Job-Status')]).toEqual([403, 'failed']);
    expect(job.final).toMatchObject({ state: 'failed', failureReason: 'script_failure', exitCode: 3 });
  });

  it('of a job that is being canceled ends it as canceled', async () => {
    const job = await running();
    coordinator.cancel(job.id);
    const touched = await put(job, 'running');

    expect(touched.headers.get('Job-Status')).toBe('canceling');
    await put(job, 'failed', { failure_reason: 'job_canceled' });
    expect(job.status).toBe('canceled');
  });

  it('needs a token in its body and a state that exists', async () => {
    const job = await running();

    expect((await put(job, 'success', { token: undefined })).status).toBe(400);
    expect((await put(job, 'done')).status).toBe(400);
    expect((await put(job, 'success', { token: 'foreign' })).status).toBe(403);
  });

  it('that comes before the log is complete, contradicts an earlier one or shows a secret is noted', async () => {
    const job = await running({}, { pendingReports: 1, forbidden: ['s3cret'] });
    await patch(job, 0, 'a s3cret');
    await put(job, 'success', { output: { checksum: 'crc32:00000000', bytesize: 3 } });
    await put(job, 'failed');

    expect(coordinator.violations.map((text) => text.replace(/\d+/g, 'N'))).toEqual([
      'final report of job N: bytesize N, the trace has N',
      'final report of job N: checksum crcN:N',
      'final report of job N: the trace shows a masked value',
      'final report of job N: failed after success',
      'final report of job N: the trace shows a masked value',
    ]);
  });

  it('makes everything after it a violation', async () => {
    const job = await running();
    await put(job, 'success');

    expect((await patch(job, 0, 'late')).status).toBe(403);
    expect((await upload(job, 'x')).status).toBe(403);
    expect(coordinator.violations).toHaveLength(2);
  });

  it('leaves alone what somebody had asked before it, and no longer waits for', async () => {
    const job = await running();
    const given = new AbortController();
    coordinator.faults.add({ endpoint: 'trace', action: { kind: 'slow', ms: 300 } });
    const late = call('PATCH', `jobs/${String(job.id)}/trace`, {
      headers: { 'JOB-TOKEN': job.token, 'Content-Range': '0-0', 'Content-Type': 'text/plain' },
      body: 'x',
      signal: given.signal,
    });
    await until('the request to be there', () => coordinator.faults.unused().length === 0);
    given.abort();
    await expect(late).rejects.toThrow();
    await put(job, 'success');
    await until('it to be looked at', () => job.calls.some(({ endpoint }) => endpoint === 'trace'));

    expect(coordinator.violations).toEqual([]);
  });
});

describe('artifacts', () => {
  it('are taken once a type, again only with the same bytes', async () => {
    const job = await running();

    expect((await upload(job, 'bytes', '?expire_in=1+week')).status).toBe(201);
    expect((await upload(job, 'bytes')).status).toBe(201);
    expect(coordinator.violations).toEqual([]);
    expect((await upload(job, 'other')).status).toBe(400);
    expect(job.artifacts).toMatchObject([
      { type: 'archive', format: 'zip', filename: 'a.zip', expireIn: '1 week', during: 'running' },
    ]);
  });

  it('must have the format of their type, and a size that is allowed', async () => {
    await coordinator.close();
    coordinator = await startCoordinator({ artifactLimitBytes: 4 });
    const job = await running();

    expect((await upload(job, 'x', '?artifact_type=junit&artifact_format=zip')).status).toBe(400);
    expect((await upload(job, 'x', '?artifact_type=junit&artifact_format=gzip')).status).toBe(201);
    expect((await upload(job, 'too large')).status).toBe(413);
  });

  it('of an earlier job are given with its token, from the storage when that is asked for', async () => {
    const { id, token } = coordinator.addDependency(Buffer.from('zip'), { redirect: true });
    const get = (query: string, headers: Record<string, string>) =>
      fetch(`${coordinator.url}/api/v4/jobs/${String(id)}/artifacts${query}`, {
        redirect: 'manual',
        headers: { 'User-Agent': 't', 'X-Request-Id': '0123456789abcdef', ...headers },
      });
    const direct = await get('', { 'JOB-TOKEN': token });
    const moved = await get('?direct_download=true', { 'JOB-TOKEN': token });

    expect(await direct.text()).toBe('zip');
    expect(moved.status).toBe(302);
    expect(await (await fetch(moved.headers.get('Location') ?? '')).text()).toBe('zip');
    expect((await get('', { 'JOB-TOKEN': 'wrong' })).status).toBe(403);
    await fetch(moved.headers.get('Location') ?? '', { headers: { 'JOB-TOKEN': token } });
    expect(coordinator.violations).toEqual(['The job token went to the storage']);
  });

  it('that are sent elsewhere are taken there, once, and without the token', async () => {
    const job = await running({}, { redirectUploads: { status: 307, to: 'elsewhere' } });
    const moved = await upload(job, 'bytes', '?expire_in=1+week');
    const target = moved.headers.get('Location') ?? '';
    const form = () => {
      const made = new FormData();
      made.append('file', new Blob(['bytes']), 'a.zip');
      return made;
    };

    expect(moved.status).toBe(307);
    expect(job.artifacts).toEqual([]);
    expect((await fetch(target, { method: 'POST', body: form() })).status).toBe(201);
    expect(job.artifacts).toMatchObject([{ type: 'archive', expireIn: '1 week' }]);
    expect(coordinator.violations).toEqual([]);
    await fetch(target, { method: 'POST', body: form(), headers: { 'JOB-TOKEN': job.token } });
    expect(coordinator.violations).toEqual(['The job token went to the storage']);
  });
});

describe('faults', () => {
  it('happen as often as they were asked for, where they were asked for', async () => {
    const job = await running();
    coordinator.faults.add({ endpoint: 'trace', action: { kind: 'status', status: 503 }, times: 2 });

    expect([
      (await patch(job, 0, 'a')).status,
      (await patch(job, 0, 'a')).status,
      (await patch(job, 0, 'a')).status,
    ]).toEqual([503, 503, 202]);
  });

  it('let pass what comes before them, and tell which of them never came', async () => {
    const job = await running();
    coordinator.faults.add({ endpoint: 'trace', action: { kind: 'status', status: 503 }, after: 1 });
    coordinator.faults.add({ endpoint: 'upload', action: { kind: 'reset' } });

    expect([(await patch(job, 0, 'a')).status, (await patch(job, 1, 'b')).status]).toEqual([202, 503]);
    expect(coordinator.faults.unused().map(({ endpoint }) => endpoint)).toEqual(['upload']);
  });

  it('make it a violation to come again before the time that was asked for', async () => {
    coordinator.faults.add({
      endpoint: 'request',
      action: { kind: 'status', status: 429, headers: { 'Retry-After': '60' } },
    });
    expect((await request()).status).toBe(429);
    await request();

    expect(coordinator.violations).toEqual([expect.stringMatching(/^request: repeated \d+ ms before/)]);
  });

  it('lose the answer but not the deed', async () => {
    const job = await running();
    coordinator.faults.add({ endpoint: 'update', action: { kind: 'loseAnswer' }, when: ({ final }) => final });

    await expect(put(job, 'success')).rejects.toThrow();
    expect(job.status).toBe('success');
  });

  it('break the connection before anything is applied', async () => {
    const job = await running();
    coordinator.faults.add({ endpoint: 'update', action: { kind: 'reset' } });

    await expect(put(job, 'success')).rejects.toThrow();
    expect(job.status).toBe('running');
  });

  it('refuse everything while the server is away', async () => {
    const back = coordinator.faults.outage();
    await expect(request()).rejects.toThrow();
    back();

    expect((await request()).status).toBe(204);
  });
});

it('answers as a lagging replica does, and then as it should', async () => {
  const job = await running({}, { lagging: { status: 'pending', times: 1 } });
  const lagging = await put(job, 'running');

  expect([lagging.status, lagging.headers.get('Job-Status')]).toEqual([403, 'pending']);
  expect((await put(job, 'running')).status).toBe(200);
});

it('holds polls only while it is to', async () => {
  coordinator.setLongPoll(60_000);
  const first = await request();
  const held = request({ last_update: first.headers.get('X-GitLab-Last-Update') });
  coordinator.setLongPoll(0);

  expect((await held).status).toBe(204);
});

it('reaps jobs that were silent for too long', async () => {
  const job = await running();
  coordinator.reap(60_000);
  expect(job.status).toBe('running');
  coordinator.reap(0);

  expect(job.status).toBe('failed');
  expect((await put(job, 'running')).status).toBe(403);
});
