import { randomBytes } from 'node:crypto';
import { json, type Answer, type Call } from './http.js';
import type { CoordinatorJob } from './job.js';

/** What a runner says with its own token: is it valid, another one, is there a job. */
export interface RunnerEndpoints {
  verify(call: Call): Answer;
  resetToken(call: Call): Answer;
  requestJob(call: Call): Promise<Answer>;
  readonly token: string;
  /** Of the runner that asked last. */
  hasFeature(name: string): boolean;
  readonly heldPolls: number;
  /** There is news: held polls are answered. */
  wakePolls(): void;
  setLongPoll(ms: number): void;
}

/** A runner has read its new token by then. */
const FORGET_TOKEN_MS = 10_000;

export function createRunnerEndpoints(
  options: { longPollMs?: number; tokenLifeMs?: number },
  jobs: ReadonlyMap<number, CoordinatorJob>,
  violation: (text: string) => void,
): RunnerEndpoints {
  let runnerToken = 'glrt-testtokenofarunner00';
  let tokenEndMs = Date.now() + (options.tokenLifeMs ?? 0);
  /** Tokens that were renewed: their owner has been told, and when. */
  const renewedAtMs = new Map<string, number>();
  const polls = new Set<() => void>();
  let longPollMs = options.longPollMs ?? 0;
  let features: Record<string, boolean> = {};
  let queueVersion = 1;

  function tokenEnd(): string | null {
    return options.tokenLifeMs === undefined ? null : new Date(tokenEndMs).toISOString();
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

  function wakePolls(): void {
    queueVersion += 1;
    for (const wake of polls) wake();
  }

  return {
    get token() {
      return runnerToken;
    },
    hasFeature: (name) => features[name] === true,
    get heldPolls() {
      return polls.size;
    },
    wakePolls,
    setLongPoll(ms) {
      longPollMs = ms;
      wakePolls();
    },

    verify({ body }) {
      const { token } = JSON.parse(body.toString('utf8')) as { token?: string };
      return token === runnerToken
        ? json(200, { id: 12, token, token_expires_at: tokenEnd() }, { Date: new Date().toUTCString() })
        : json(403, { message: '403 Forbidden' });
    },

    /** The token before is invalid at once; whoever does not get this answer has none. */
    resetToken({ body }) {
      const { token } = JSON.parse(body.toString('utf8')) as { token?: string };
      if (token !== runnerToken) return json(403, { message: '403 Forbidden' });
      renewedAtMs.set(runnerToken, Date.now());
      runnerToken = `glrt-testtoken${randomBytes(6).toString('hex')}`;
      tokenEndMs = Date.now() + (options.tokenLifeMs ?? 0);
      return json(201, { token: runnerToken, token_expires_at: tokenEnd() });
    },

    async requestJob({ body, gone }) {
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
    },
  };
}
