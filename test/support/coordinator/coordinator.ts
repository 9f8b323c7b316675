import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../processes.js';
import { createFaults, type Endpoint, type FaultAction, type Faults } from './faults.js';
import {
  checksumOf,
  createJob,
  isKnownPair,
  isOver,
  sha256Of,
  type CoordinatorJob,
  type FinalReport,
  type JobCall,
  type JobOptions,
} from './job.js';
import { examplePayload } from './payload.js';

/**
 * A GitLab for tests: the runner API with the status rules of gitlab-protocol (sections 1 and 13), strict. What a runner does that
 * GitLab would not like, or that would lose something, is a violation, and a test that has one fails.
 */
export interface TestCoordinator {
  readonly url: string;
  /** The one that is valid now: it changes when a runner renews it. */
  readonly runnerToken: string;
  readonly violations: string[];
  readonly faults: Faults;
  /** Polls that are held just now: the next job goes to one of them. */
  readonly heldPolls: number;
  readonly jobs: ReadonlyMap<number, CoordinatorJob>;
  /** @param changes fields of the payload that replace the example's; `script` and `variables` are shorthands */
  /** How long polls without news are held from now on; those that are held are answered. */
  setLongPoll(ms: number): void;
  addJob(changes?: Record<string, unknown>, options?: JobOptions): CoordinatorJob;
  /**
   * A finished job of an earlier stage whose archive may be downloaded.
   * @param how.redirect to object storage; the status, if not 302
   */
  addDependency(archive: Buffer, how?: { redirect?: boolean | number; status?: number }): { id: number; token: string };
  cancel(id: number): void;
  /** The server ends the job by itself. */
  end(id: number, status: 'failed' | 'canceled' | 'success'): void;
  untilOver(id: number, timeoutMs?: number): Promise<CoordinatorJob>;
  /** Ends jobs that were silent for so long, as GitLab's own worker does after an hour. */
  reap(silentMs: number): void;
  close(): Promise<void>;
}

export interface CoordinatorOptions {
  /** How long a poll without news is held; 0 (default): not at all, as without Workhorse. */
  longPollMs?: number;
  /** The plan's limit of a trace. */
  traceLimitBytes?: number;
  /** The limit of an artifact. */
  artifactLimitBytes?: number;
  /** How long runner tokens live; absent: for ever. */
  tokenLifeMs?: number;
}

const MAX_CHUNK_BYTES = 1024 * 1024;
/** A runner has read its new token by then. */
const FORGET_TOKEN_MS = 10_000;

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

interface Call {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: Buffer;
  /** The client has hung up. */
  gone(): boolean;
}

export async function startCoordinator(options: CoordinatorOptions = {}): Promise<TestCoordinator> {
  let runnerToken = 'glrt-testtokenofarunner00';
  let tokenEndMs = Date.now() + (options.tokenLifeMs ?? 0);
  /** Tokens that were renewed: their owner has been told, and when. */
  const renewedAtMs = new Map<string, number>();
  const violations: string[] = [];
  const faults = createFaults();
  const jobs = new Map<number, CoordinatorJob>();
  const archives = new Map<number, { token: string; archive: Buffer; redirect: number | undefined; status: number }>();
  const polls = new Set<() => void>();
  /** By endpoint and job: no request before. */
  const patience = new Map<string, number>();
  let longPollMs = options.longPollMs ?? 0;
  let features: Record<string, boolean> = {};
  let queueVersion = 1;
  let nextId = 1000;

  const storage = await listen(createServer((request, response) => void serveStorage(request, response)));
  const server = await listen(createServer((request, response) => void serve(request, response)));

  function violation(text: string): void {
    violations.push(text);
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (faults.away) return void request.socket.destroy();
      const call = await readCall(request);
      const endpoint = endpointOf(call);
      if (endpoint === undefined) return reply(response, { status: 404 });
      checkHeaders(endpoint, call);
      const id = Number(/^jobs\/(\d+)/.exec(call.path)?.[1]);
      const final = endpoint === 'update' && isFinalReport(call);
      const artifactType = endpoint === 'upload' ? (call.query.get('artifact_type') ?? 'archive') : undefined;
      checkPatience(endpoint, id);
      const fault = faults.take(endpoint, {
        job: Number.isNaN(id) ? undefined : id,
        body: call.body,
        final,
        artifactType,
      });
      if (fault?.kind === 'status') notePatience(endpoint, id, fault.headers);
      await answer(request, response, fault, () => handle(endpoint, call, id));
      if (final && (fault?.kind === 'loseAnswer' || fault?.kind === 'halfAnswer')) {
        const job = jobs.get(id);
        if (job !== undefined) job.answerLost = true;
      }
    } catch (error) {
      // The runner went away in the middle of its request.
      if (!request.destroyed) violation(`The coordinator itself failed: ${String(error)}`);
      response.destroy();
    }
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    fault: FaultAction | undefined,
    usual: () => Promise<Answer> | Answer,
  ): Promise<void> {
    switch (fault?.kind) {
      case undefined:
        return reply(response, await usual());
      case 'status':
        return reply(response, {
          status: fault.status,
          ...(fault.headers === undefined ? {} : { headers: fault.headers }),
        });
      case 'reset':
        return void request.socket.destroy();
      case 'hang':
        await delay(fault.ms);
        return void request.socket.destroy();
      case 'slow':
        await delay(fault.ms);
        return reply(response, await usual());
      case 'loseAnswer':
        await usual();
        return void request.socket.destroy();
      case 'halfAnswer': {
        const { status, headers, body = '{"half":' } = await usual();
        const bytes = Buffer.from(body);
        response.writeHead(status, { ...headers, 'Content-Length': String(bytes.length + 100) });
        response.write(bytes.subarray(0, Math.ceil(bytes.length / 2)));
        await delay(50);
        return void request.socket.destroy();
      }
    }
  }

  /** A client that was told to wait, and comes before, is not one that GitLab keeps. */
  function checkPatience(endpoint: Endpoint, id: number): void {
    const notBefore = patience.get(`${endpoint} ${String(id)}`);
    if (notBefore !== undefined && Date.now() < notBefore) {
      violation(`${endpoint}: repeated ${String(notBefore - Date.now())} ms before it was to be (Retry-After)`);
    }
  }

  function notePatience(endpoint: Endpoint, id: number, headers: Record<string, string> = {}): void {
    const seconds = Number(headers['Retry-After']);
    if (seconds > 0) patience.set(`${endpoint} ${String(id)}`, Date.now() + seconds * 1000);
  }

  function checkHeaders(endpoint: Endpoint, { headers }: Call): void {
    if ((headers['user-agent'] ?? '') === '') violation(`${endpoint}: no User-Agent`);
    if (!/^[0-9a-f-]{16,}$/i.test(String(headers['x-request-id'] ?? ''))) violation(`${endpoint}: no X-Request-Id`);
    const json = ['verify', 'reset', 'request', 'update'].includes(endpoint);
    if (json && !String(headers['content-type']).startsWith('application/json')) {
      violation(`${endpoint}: Content-Type is ${String(headers['content-type'])}`);
    }
  }

  function handle(endpoint: Endpoint, call: Call, id: number): Promise<Answer> | Answer {
    switch (endpoint) {
      case 'verify':
        return verify(call);
      case 'reset':
        return resetToken(call);
      case 'request':
        return requestJob(call);
      case 'download':
        return download(call, id);
      default:
        return ofJob(endpoint, call, id);
    }
  }

  function verify({ body }: Call): Answer {
    const { token } = JSON.parse(body.toString('utf8')) as { token?: string };
    return token === runnerToken
      ? json(200, { id: 12, token, token_expires_at: tokenEnd() }, { Date: new Date().toUTCString() })
      : json(403, { message: '403 Forbidden' });
  }

  function tokenEnd(): string | null {
    return options.tokenLifeMs === undefined ? null : new Date(tokenEndMs).toISOString();
  }

  /** The token before is invalid at once; whoever does not get this answer has none. */
  function resetToken({ body }: Call): Answer {
    const { token } = JSON.parse(body.toString('utf8')) as { token?: string };
    if (token !== runnerToken) return json(403, { message: '403 Forbidden' });
    renewedAtMs.set(runnerToken, Date.now());
    runnerToken = `glrt-testtoken${randomBytes(6).toString('hex')}`;
    tokenEndMs = Date.now() + (options.tokenLifeMs ?? 0);
    return json(201, { token: runnerToken, token_expires_at: tokenEnd() });
  }

  async function requestJob({ body, gone }: Call): Promise<Answer> {
    const given = JSON.parse(body.toString('utf8')) as {
      token?: string;
      system_id?: string;
      last_update?: string;
      info?: { features?: Record<string, boolean> };
    };
    if (given.token !== runnerToken) {
      const renewed = renewedAtMs.get(given.token ?? '');
      if (renewed !== undefined && Date.now() - renewed > FORGET_TOKEN_MS)
        violation('request: with a token that was renewed');
      return json(403, { message: '403 Forbidden' });
    }
    if (!/^[sr]_[A-Za-z0-9]{12}$/.test(given.system_id ?? ''))
      violation(`request: system_id is ${String(given.system_id)}`);
    features = given.info?.features ?? {};
    if (Object.keys(features).length !== 31)
      violation(`request: ${String(Object.keys(features).length)} features instead of 31`);
    const deadline = Date.now() + longPollMs;
    for (;;) {
      // Workhorse notices, too: a job that nobody would read of is not assigned.
      if (gone()) return { status: 499 };
      const next = [...jobs.values()].find(
        (job) => job.status === 'pending' || job.handedOver < (job.options.handOver ?? 1),
      );
      if (next !== undefined) return handOver(next);
      if (given.last_update !== String(queueVersion) || Date.now() >= deadline || longPollMs === 0) break;
      await heldUntil(deadline);
    }
    return { status: 204, headers: { 'X-GitLab-Last-Update': String(queueVersion) } };
  }

  /** Until there is news, or the time is over. */
  async function heldUntil(deadline: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        polls.delete(done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(1, deadline - Date.now()));
      polls.add(done);
    });
  }

  function handOver(job: CoordinatorJob): Answer {
    job.handedOver += 1;
    if (job.status === 'pending') {
      job.status = 'running';
      job.runningAtMs = Date.now();
      job.touchedAtMs = Date.now();
    }
    if (job.options.rawBody !== undefined) return { ...json(201, null), body: job.options.rawBody };
    return json(201, job.payload, { 'X-GitLab-Last-Update': String(queueVersion) });
  }

  function ofJob(endpoint: Endpoint, call: Call, id: number): Promise<Answer> | Answer {
    const job = jobs.get(id);
    const given = endpoint === 'update' ? tokenInBody(call) : String(call.headers['job-token'] ?? '');
    if (endpoint === 'update' && given === undefined) return json(400, { error: 'token is missing' });
    if (job === undefined || job.token !== given) return json(403, { message: '403 Forbidden' });
    const said: JobCall = { endpoint, host: String(call.headers.host), misplaced: false };
    job.calls.push(said);
    const { lagging } = job.options;
    if (lagging !== undefined && lagging.times > 0) {
      lagging.times -= 1;
      return json(
        403,
        { message: '403 Forbidden - Job is not processing on runner' },
        { 'Job-Status': lagging.status },
      );
    }
    if (job.status !== 'running' && job.status !== 'canceling') {
      if (endpoint === 'update' && isFinalReport(call)) job.lateReports += 1;
      // Only who has reported the end can know of it.
      if (endpoint !== 'update' && job.final !== undefined && job.reports.length > 0 && !job.answerLost) {
        violation(`${endpoint} of job ${String(id)} after its final status`);
      }
      return json(403, { message: '403 Forbidden - Job is not processing on runner' }, { 'Job-Status': job.status });
    }
    job.touchedAtMs = Date.now();
    switch (endpoint) {
      case 'trace':
        return patchTrace(job, call, said);
      case 'update':
        return updateJob(job, call);
      default:
        return redirected(job, call) ?? upload(job, call);
    }
  }

  function redirected(job: CoordinatorJob, { path, query }: Call): Answer | undefined {
    const { redirectUploads: how } = job.options;
    if (how === undefined || query.has('redirected')) return undefined;
    query.set('redirected', '1');
    const base = how.to === 'here' ? `/api/v4/${path}` : `${urlOf(storage)}/upload/${String(job.id)}`;
    return { status: how.status, headers: { Location: `${base}?${query.toString()}` } };
  }

  function patchTrace(job: CoordinatorJob, { headers, body, query }: Call, said: JobCall): Answer {
    const range = headers['content-range'];
    if (range === undefined) {
      violation('trace: no Content-Range');
      return json(400, { error: '400 Missing header Content-Range' });
    }
    const parts = /^(\d+)-(\d+)$/.exec(range);
    if (parts === null) violation(`trace: Content-Range is ${range}`);
    if (body.length === 0) violation('trace: an empty body');
    if (body.length > MAX_CHUNK_BYTES) violation(`trace: ${String(body.length)} bytes in one chunk`);
    const start = Number(parts?.[1] ?? 0);
    if (parts !== null && Number(parts[2]) !== start + body.length - 1) {
      violation(`trace: Content-Range ${range} with ${String(body.length)} bytes`);
    }
    const end = start + body.length;
    if (end > (job.options.traceLimitBytes ?? options.traceLimitBytes ?? 100 * 1024 * 1024)) {
      finish(job, {
        state: 'failed',
        failureReason: 'trace_size_exceeded',
        exitCode: undefined,
        checksum: undefined,
        bytesize: undefined,
      });
      return json(403, { message: '403 Forbidden' });
    }
    job.patches += 1;
    job.largestPatch = Math.max(job.largestPatch, body.length);
    if (query.get('debug_trace') === 'true') job.debugPatches += 1;
    if (start > job.trace.length) {
      violation(`trace: a gap, ${String(start)} after ${String(job.trace.length)} bytes`);
    }
    if (start === job.trace.length) job.trace = Buffer.concat([job.trace, body]);
    else {
      job.misplaced += 1;
      said.misplaced = true;
    }
    if (job.trace.length !== end) return { status: 416, headers: { Range: `0-${String(job.trace.length)}` } };
    return {
      status: 202,
      headers: { Range: `0-${String(job.trace.length)}`, ...statusHeaders(job) },
    };
  }

  function updateJob(job: CoordinatorJob, { body }: Call): Answer {
    const given = JSON.parse(body.toString('utf8')) as {
      state?: string;
      failure_reason?: string;
      exit_code?: number;
      output?: { checksum?: string; bytesize?: number };
      info?: { features?: object };
    };
    if (given.state === 'running') {
      job.keepAlives += 1;
      return text(200, job);
    }
    if (given.state !== 'success' && given.state !== 'failed')
      return json(400, { error: 'state does not have a valid value' });
    const report: FinalReport = {
      state: given.state,
      failureReason: given.failure_reason,
      exitCode: given.exit_code,
      checksum: given.output?.checksum,
      bytesize: given.output?.bytesize,
    };
    checkReport(job, report);
    job.reports.push(report);
    const pending = job.options.pendingReports ?? 0;
    if (job.reports.length <= pending) {
      const backOff = String(Math.min(64, 2 ** (job.reports.length - 1)));
      return { ...text(202, job), headers: { ...statusHeaders(job), 'X-GitLab-Trace-Update-Interval': backOff } };
    }
    finish(job, report);
    return text(200, job);
  }

  function checkReport(job: CoordinatorJob, report: FinalReport): void {
    const name = `final report of job ${String(job.id)}`;
    if (report.bytesize !== job.trace.length) {
      violation(`${name}: bytesize ${String(report.bytesize)}, the trace has ${String(job.trace.length)}`);
    }
    if (report.checksum !== checksumOf(job.trace)) violation(`${name}: checksum ${String(report.checksum)}`);
    const [first] = job.reports;
    if (first !== undefined && (first.state !== report.state || first.failureReason !== report.failureReason)) {
      violation(`${name}: ${report.state} after ${first.state}`);
    }
    for (const secret of [job.token, ...(job.options.forbidden ?? [])]) {
      if (job.trace.includes(secret)) violation(`${name}: the trace shows a masked value`);
    }
  }

  function finish(job: CoordinatorJob, report: FinalReport): void {
    job.final = report;
    job.overAtMs = Date.now();
    job.status = job.status === 'canceling' ? 'canceled' : (report.state as 'success' | 'failed');
  }

  async function upload(job: CoordinatorJob, { query, headers, body }: Call): Promise<Answer> {
    const type = query.get('artifact_type') ?? 'archive';
    const format = query.get('artifact_format') ?? 'zip';
    const form = await new Response(new Uint8Array(body), {
      headers: { 'content-type': String(headers['content-type']) },
    }).formData();
    const file = form.get('file');
    if (!(file instanceof File)) {
      violation('upload: no part "file"');
      return json(400, { message: 'file is missing' });
    }
    const bytes = Buffer.from(await file.arrayBuffer());
    if (!isKnownPair(type, format)) {
      violation(`upload: type ${type} with format ${format}`);
      return json(400, { message: 'Invalid file format' });
    }
    if (bytes.length > (job.options.artifactLimitBytes ?? options.artifactLimitBytes ?? 100 * 1024 * 1024))
      return json(413, { message: '413 Payload Too Large' });
    const sha256 = sha256Of(bytes);
    const known = job.artifacts.find((artifact) => artifact.type === type);
    if (known !== undefined) {
      if (known.sha256 === sha256) return { status: 201, body: '201' };
      violation(`upload: ${type} again with other bytes`);
      return json(400, { message: 'another artifact of the same type already exists' });
    }
    if (job.reports.length > 0) violation(`upload: ${type} after the final report`);
    job.artifacts.push({
      type,
      format,
      filename: file.name,
      expireIn: query.get('expire_in') ?? undefined,
      bytes,
      sha256,
      during: job.status,
    });
    return { status: 201, body: '201', headers: { 'Content-Type': 'text/plain' } };
  }

  function download({ headers, query }: Call, id: number): Answer {
    const known = archives.get(id);
    if (known === undefined || known.token !== headers['job-token']) return json(403, { message: '403 Forbidden' });
    if (known.status !== 200) return json(known.status, { message: String(known.status) });
    if (known.redirect !== undefined && query.get('direct_download') === 'true') {
      return { status: known.redirect, headers: { Location: `${urlOf(storage)}/archive/${String(id)}?signature=x` } };
    }
    return { status: 200, headers: { 'Content-Type': 'application/zip' }, body: known.archive };
  }

  /** Object storage: it would refuse a request with credentials that are not its own. */
  async function serveStorage(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers['job-token'] !== undefined) violation('The job token went to the storage');
    const job = jobs.get(Number(/\/upload\/(\d+)/.exec(request.url ?? '')?.[1]));
    if (job !== undefined && request.method === 'POST')
      return reply(response, await upload(job, await readCall(request)));
    const known = archives.get(Number(/\/archive\/(\d+)/.exec(request.url ?? '')?.[1]));
    if (known === undefined) return reply(response, { status: 404 });
    reply(response, { status: 200, body: known.archive });
  }

  function statusHeaders(job: CoordinatorJob): Record<string, string> {
    return {
      'Job-Status': job.status,
      'X-GitLab-Trace-Update-Interval': String(job.options.updateInterval ?? 3),
    };
  }

  function text(status: number, job: CoordinatorJob): Answer {
    return { status, body: String(status), headers: { 'Content-Type': 'text/plain', ...statusHeaders(job) } };
  }

  function wakePolls(): void {
    queueVersion += 1;
    for (const wake of polls) wake();
  }

  return {
    url: urlOf(server),
    get runnerToken() {
      return runnerToken;
    },
    violations,
    faults,
    get heldPolls() {
      return polls.size;
    },
    jobs,
    setLongPoll(ms) {
      longPollMs = ms;
      wakePolls();
    },
    addJob(changes = {}, jobOptions = {}) {
      nextId += 1;
      const job = createJob(nextId, examplePayload(nextId, changes), jobOptions);
      jobs.set(job.id, job);
      wakePolls();
      return job;
    },
    addDependency(archive, how = {}) {
      nextId += 1;
      const token = `glcbt-64_dependency${String(nextId)}`;
      const redirect = how.redirect === true ? 302 : how.redirect === false ? undefined : how.redirect;
      archives.set(nextId, { token, archive, redirect, status: how.status ?? 200 });
      return { id: nextId, token };
    },
    cancel(id) {
      const job = jobs.get(id);
      if (job === undefined || isOver(job.status)) return;
      job.status = job.status === 'running' && features['cancel_gracefully'] === true ? 'canceling' : 'canceled';
    },
    end(id, status) {
      const job = jobs.get(id);
      if (job !== undefined && !isOver(job.status)) job.status = status;
    },
    async untilOver(id, timeoutMs = 60_000) {
      const job = jobs.get(id);
      if (job === undefined) throw new Error(`No job ${String(id)}`);
      await until(`the end of job ${String(id)} (${job.status})`, () => isOver(job.status), timeoutMs);
      return job;
    },
    reap(silentMs) {
      for (const job of jobs.values()) {
        if (isOver(job.status) || job.status === 'pending' || Date.now() - job.touchedAtMs < silentMs) continue;
        job.status = 'failed';
      }
    },
    async close() {
      wakePolls();
      await Promise.all([server, storage].map((each) => closeServer(each)));
    },
  };
}

function isFinalReport({ body }: Call): boolean {
  return /"state":\s*"(?:success|failed)"/.test(body.toString('utf8'));
}

function tokenInBody({ body }: Call): string | undefined {
  const { token } = JSON.parse(body.toString('utf8')) as { token?: string };
  return token;
}

function endpointOf({ method, path }: Call): Endpoint | undefined {
  if (method === 'POST' && path === 'runners/verify') return 'verify';
  if (method === 'POST' && path === 'runners/reset_authentication_token') return 'reset';
  if (method === 'POST' && path === 'jobs/request') return 'request';
  if (method === 'PATCH' && /^jobs\/\d+\/trace$/.test(path)) return 'trace';
  if (method === 'PUT' && /^jobs\/\d+$/.test(path)) return 'update';
  if (/^jobs\/\d+\/artifacts$/.test(path))
    return method === 'POST' ? 'upload' : method === 'GET' ? 'download' : undefined;
  return undefined;
}

async function readCall(request: IncomingMessage): Promise<Call> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const url = new URL(request.url ?? '/', 'http://coordinator');
  return {
    method: request.method ?? '',
    path: url.pathname.replace(/^\/api\/v4\//, ''),
    query: url.searchParams,
    headers: request.headers,
    body: Buffer.concat(chunks),
    gone: () => request.socket.destroyed,
  };
}

function json(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

function reply(response: ServerResponse, { status, headers = {}, body }: Answer): void {
  response.writeHead(status, headers);
  response.end(body);
}

async function listen(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
