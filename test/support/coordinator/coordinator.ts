import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { until } from '../processes.js';
import { createArtifacts } from './artifacts.js';
import { createFaults, type Endpoint, type Faults } from './faults.js';
import { closeServer, listen, readCall, reply, urlOf, type Answer, type Call } from './http.js';
import { createJobEndpoints, isFinalReport } from './job-endpoints.js';
import { createJob, isOver, type CoordinatorJob, type JobOptions } from './job.js';
import { examplePayload } from './payload.js';
import { answerWith } from './play-fault.js';
import { createRunnerEndpoints } from './runner-endpoints.js';

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
  /** How long polls without news are held from now on; those that are held are answered. */
  setLongPoll(ms: number): void;
  /** @param changes fields of the payload that replace the example's; `script` and `variables` are shorthands */
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

const PLAN_LIMIT_BYTES = 100 * 1024 * 1024;

export async function startCoordinator(options: CoordinatorOptions = {}): Promise<TestCoordinator> {
  const violations: string[] = [];
  const violation = (text: string) => void violations.push(text);
  const faults = createFaults();
  const jobs = new Map<number, CoordinatorJob>();
  const runners = createRunnerEndpoints(options, jobs, violation);
  const artifacts = createArtifacts({
    limitBytes: options.artifactLimitBytes ?? PLAN_LIMIT_BYTES,
    storageUrl: () => urlOf(storage),
    violation,
  });
  const ofJob = createJobEndpoints({
    jobs,
    artifacts,
    traceLimitBytes: options.traceLimitBytes ?? PLAN_LIMIT_BYTES,
    violation,
  });
  /** By endpoint and job: no request before. */
  const patience = new Map<string, number>();
  let nextId = 1000;

  const storage = await listen(createServer((request, response) => void serveStorage(request, response)));
  const server = await listen(createServer((request, response) => void serve(request, response)));

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
      if (final && ['loseAnswer', 'halfAnswer', 'holdAnswer'].includes(fault?.kind ?? '')) {
        const job = jobs.get(id);
        if (job !== undefined) job.answerLost = true;
      }
      await answerWith(fault, { request, response }, () => handle(endpoint, call, id));
    } catch (error) {
      // The runner went away in the middle of its request.
      if (!request.destroyed) violation(`The coordinator itself failed: ${String(error)}`);
      response.destroy();
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
        return runners.verify(call);
      case 'reset':
        return runners.resetToken(call);
      case 'request':
        return runners.requestJob(call);
      case 'download':
        return artifacts.download(call, id);
      default:
        return ofJob(endpoint, call, id);
    }
  }

  /** Object storage: it would refuse a request with credentials that are not its own. */
  async function serveStorage(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers['job-token'] !== undefined) violation('The job token went to the storage');
    const job = jobs.get(Number(/\/upload\/(\d+)/.exec(request.url ?? '')?.[1]));
    if (job !== undefined && request.method === 'POST')
      return reply(response, await artifacts.upload(job, await readCall(request)));
    const archive = artifacts.archive(Number(/\/archive\/(\d+)/.exec(request.url ?? '')?.[1]));
    reply(response, archive === undefined ? { status: 404 } : { status: 200, body: archive });
  }

  return {
    url: urlOf(server),
    get runnerToken() {
      return runners.token;
    },
    violations,
    faults,
    get heldPolls() {
      return runners.heldPolls;
    },
    jobs,
    setLongPoll: (ms) => runners.setLongPoll(ms),
    addJob(changes = {}, jobOptions = {}) {
      nextId += 1;
      const job = createJob(nextId, examplePayload(nextId, changes), jobOptions);
      jobs.set(job.id, job);
      runners.wakePolls();
      return job;
    },
    addDependency(archive, how = {}) {
      nextId += 1;
      const token = `glcbt-64_dependency${String(nextId)}`;
      artifacts.add(nextId, token, archive, how);
      return { id: nextId, token };
    },
    cancel(id) {
      const job = jobs.get(id);
      if (job === undefined || isOver(job.status)) return;
      job.status = job.status === 'running' && runners.hasFeature('cancel_gracefully') ? 'canceling' : 'canceled';
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
      runners.wakePolls();
      await Promise.all([server, storage].map((each) => closeServer(each)));
    },
  };
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
