import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BadPageError, JobNotFoundError, UnreachableError } from '../client/errors.js';
import type { JobSummary } from '../client/job-summary.js';
import type { JobPageQuery } from '../client/job-page.js';
import type { JobStatus } from '../contracts/ci-job.js';
import type { ActivityLife, LifeEvent } from '../contracts/job-life.js';
import { createDirectoryStore } from '../store/directory-store.js';
import type { Store } from '../store/store.js';
import { silentLogger } from '../telemetry/logger.js';
import type { WebAssets } from './assets.js';
import type { JobSource } from './job-source.js';
import { createWebApp } from './server.js';

const ASSETS: WebAssets = {
  url: (name) => `/assets/${name}`,
  text: () => '',
  files: new Map([['app.css', { type: 'text/css', content: Buffer.from('body {}') }]]),
};
const JOB: JobSummary = {
  id: '7',
  workflowId: 'gitlab/gitlab.example.com/7',
  name: '<script>alert(1)</script>',
  state: 'failed',
  failureReason: 'script_failure',
  project: 'group/"project"',
  pool: 'default',
  machine: 'm',
  metrics: 'uploaded',
  flags: ['cpu & more'],
  queuedAt: '2026-01-02T03:04:05.000Z',
  finishedAt: '2026-01-02T03:05:15.000Z',
};
const STATUS: JobStatus = {
  ...JOB,
  name: 'build',
  summary: 'It failed.',
  failureReason: 'runner_system_failure',
  failureMessage: null,
  exitCode: null,
  allowedToFail: false,
  metrics: 'uploaded',
  metricsReason: null,
  engine: 'local',
  image: 'busybox',
  project: 'p',
  pool: 'default',
  state: 'failed',
  startedAt: JOB.queuedAt,
  heldUntil: null,
  traceBytes: 0,
  attempts: 1,
  steps: [],
  artifacts: [],
};
const after = (seconds: number) => new Date(Date.parse(JOB.queuedAt) + seconds * 1000).toISOString();
const EVENTS: LifeEvent[] = [{ at: JOB.queuedAt, kind: 'queued', text: 'queued by <b>me</b>' }];
const LOST_ONCE: ActivityLife = {
  id: '1',
  activity: 'runStep',
  summary: 'step_script',
  queue: 'q',
  state: 'completed',
  scheduledAt: after(1),
  startedAt: after(8),
  finishedAt: after(10),
  attempts: [
    {
      ...{ first: 1, last: 1, startedAt: after(1), finishedAt: after(3), worker: '1@a', outcome: 'failed' },
      failure: { code: 'ENGINE_UNREACHABLE', message: 'no <answer>', fault: 'provider' },
    },
    {
      ...{ first: 2, last: 2, startedAt: after(8), finishedAt: after(10), worker: '2@b', outcome: 'completed' },
      failure: null,
    },
  ],
  troubles: [],
};
const TOKEN = 'a token of some length';

let directory: string;
let store: Store;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-web-'));
  store = createDirectoryStore({ directory });
});
afterAll(() => rmSync(directory, { recursive: true }));

function appOf(options: { token?: string; source?: Partial<JobSource> } = {}) {
  const source: JobSource = {
    store,
    list: () => Promise.resolve({ jobs: [JOB] }),
    status: (id) => Promise.reject(new JobNotFoundError(`There is no job ${id}`)),
    flight: () => Promise.reject(new UnreachableError('no history')),
    resolve: (id) => Promise.resolve(id),
    ...options.source,
  };
  return createWebApp({
    listenAddress: '127.0.0.1:0',
    token: options.token,
    source,
    assets: ASSETS,
    logger: silentLogger,
  });
}

const local = { host: '127.0.0.1:8080' };

describe('the pages', () => {
  it('escape everything that a job says of itself', async () => {
    const { body } = await appOf().inject({ url: '/', headers: local });

    expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(body).not.toContain('<script>alert');
    expect(body).toContain('group/&quot;project&quot;');
    expect(body).toContain('/?flag=cpu%20%26%20more');
    expect(body).toContain('/jobs/gitlab/gitlab.example.com/7');
  });

  it('allow nothing from elsewhere and no script of their own text', async () => {
    const { headers, body } = await appOf().inject({ url: '/', headers: local });

    expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(body).not.toMatch(/<script(?![^>]* src=)/);
    expect(body).not.toMatch(/ style="/);
  });

  it('tell the life of a job, escaped, and do without it where it cannot be read', async () => {
    const flight: JobSource['flight'] = () =>
      Promise.resolve({ ...STATUS, fault: 'provider', life: { events: EVENTS, activities: [LOST_ONCE] } });
    const status = () => Promise.resolve(STATUS);
    const url = `/jobs/${STATUS.workflowId}`;
    const { body } = await appOf({ source: { status, flight } }).inject({ url, headers: local });

    const rows = [...body.matchAll(/<tr class="life-(\w+)">([\s\S]*?)<\/tr>/g)].map(([, kind, cells = '']) => [
      kind,
      cells
        .replaceAll(/<[^>]*>/g, ' ')
        .replaceAll(/\s+/g, ' ')
        .trim(),
    ]);
    expect(rows).toEqual([
      ['event', '+0.00s queued by &lt;b&gt;me&lt;/b&gt;'],
      ['activity', '+1.00s runStep step_script 9.00s'],
      ['attempt', '+1.00s attempt 1 failed by 1@a ENGINE_UNREACHABLE: no &lt;answer&gt; (fault: provider) 2.00s'],
      ['attempt', '+8.00s attempt 2 completed by 2@b 2.00s'],
    ]);
    expect(body).toContain('what the runner stands on');

    const without = await appOf({ source: { status } }).inject({ url, headers: local });
    expect(without.statusCode).toBe(200);
    expect(without.body).toContain('Temporal cannot be asked for it just now');
    expect(without.body).not.toContain('<dt>Fault');
  });

  it('hand the filters on, and leave out what makes no sense', async () => {
    const asked: JobPageQuery[] = [];
    const list = (query: JobPageQuery) => {
      asked.push(query);
      return Promise.resolve({ jobs: [] });
    };
    const url = '/?q=x&state=failed&metrics=bogus&project=p&flag=&page=abc';
    const { body } = await appOf({ source: { list } }).inject({ url, headers: local });

    expect(asked).toEqual([{ text: 'x', state: 'failed', project: 'p', page: 'abc' }]);
    expect(body).toContain('No job is like this.');
  });

  it('name this machine, or are refused', async () => {
    const app = appOf();

    expect((await app.inject({ url: '/', headers: { host: 'evil.example' } })).statusCode).toBe(421);
    expect((await app.inject({ url: '/', headers: { host: 'localhost:8080' } })).statusCode).toBe(200);
    expect((await app.inject({ url: '/', headers: { host: '[::1]:8080' } })).statusCode).toBe(200);
  });

  it('say in words that Temporal is away', async () => {
    const list = () => Promise.reject(new UnreachableError('Temporal at 127.0.0.1:7233 does not answer'));
    const { statusCode, body } = await appOf({ source: { list } }).inject({ url: '/', headers: local });

    expect(statusCode).toBe(503);
    expect(body).toContain('Temporal at 127.0.0.1:7233 does not answer.');
  });

  it('say in words that a page of the list is not one', async () => {
    const list = () => Promise.reject(new BadPageError());
    const { statusCode, body } = await appOf({ source: { list } }).inject({ url: '/?page=x', headers: local });

    expect(statusCode).toBe(400);
    expect(body).toContain('is no page of the list of jobs');
  });

  it('lead on from a page on which nothing is left', async () => {
    const list = () => Promise.resolve({ jobs: [], next: 'more' });
    const { body } = await appOf({ source: { list } }).inject({ url: '/?metrics=failed', headers: local });

    expect(body).toContain('No job on this page is like this.');
    expect(body).toContain('href="/?metrics=failed&amp;page=more"');
  });

  it('say in words that the store is away, and not where it is', async () => {
    const broken = {
      ...store,
      read: () => Promise.reject(Object.assign(new Error('EIO: /secret/place'), { code: 'EIO' })),
    };
    const { statusCode, body } = await appOf({ source: { store: broken } }).inject({ url: '/', headers: local });

    expect(statusCode).toBe(503);
    expect(body).toContain('The store cannot be read');
    expect(body).not.toContain('/secret/place');
  });

  it('take nothing but GET', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'] as const)
      expect((await appOf().inject({ method, url: '/', headers: local })).statusCode).toBe(404);
  });
});

describe('with a token', () => {
  it('nothing is shown without it, and its names are not told apart', async () => {
    const app = appOf({ token: TOKEN });

    expect((await app.inject({ url: '/?q=1' })).headers.location).toBe('/login?next=%2F%3Fq%3D1');
    expect((await app.inject({ url: '/data/trace/job/1' })).statusCode).toBe(401);
    expect((await app.inject({ url: '/', headers: { cookie: 'holdfast=x' } })).statusCode).toBe(303);
    expect((await app.inject({ url: '/', headers: { authorization: 'Bearer x' } })).statusCode).toBe(303);
    expect((await app.inject({ url: '/assets/app.css' })).statusCode).toBe(200);
  });

  it('the form gives a cookie that opens them, and that no script and no other site can use', async () => {
    const app = appOf({ token: TOKEN });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const login = await app.inject({
      method: 'POST',
      url: '/login?next=%2F%3Fq%3D1',
      headers,
      payload: `token=${encodeURIComponent(TOKEN)}`,
    });
    const cookie = String(login.headers['set-cookie']);

    expect(login.headers.location).toBe('/?q=1');
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    expect(cookie).not.toContain(TOKEN);
    expect((await app.inject({ url: '/', headers: { cookie: cookie.split(';')[0] } })).statusCode).toBe(200);
    expect((await app.inject({ url: '/', headers: { authorization: `Bearer ${TOKEN}` } })).statusCode).toBe(200);
  });

  it('a wrong one is refused, and the form leads nowhere else', async () => {
    const app = appOf({ token: TOKEN });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };

    expect((await app.inject({ method: 'POST', url: '/login', headers, payload: 'token=wrong' })).statusCode).toBe(401);
    for (const next of ['//evil.example/', '/\\evil.example', 'https://evil.example']) {
      const url = `/login?next=${encodeURIComponent(next)}`;
      const login = await app.inject({ method: 'POST', url, headers, payload: `token=${encodeURIComponent(TOKEN)}` });
      expect(login.headers.location).toBe('/');
    }
  });
});
