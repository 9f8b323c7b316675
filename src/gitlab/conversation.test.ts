import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JobReport, ReportOutcome } from '../contracts/activities.js';
import { createChecksum } from '../trace/checksum.js';
import type { JobApi, JobUpdate } from './client.js';
import type { Clock } from './clock.js';
import { converse, type ConversationInput, type JobSource } from './conversation.js';
import { outcomeOfForbidden, type PatchTraceOutcome, type UpdateJobOutcome } from './outcomes.js';

type Fault = 'none' | 'request lost' | 'answer lost' | 'server error';

/** GitLab's rules for one job (gitlab-protocol sections 1.6 and 1.7), and a network that may lose a request or its answer. */
function modelOfGitlab(options: { fault?: () => Fault; pendingAnswers?: number; tick?: () => Promise<void> } = {}) {
  let log = Buffer.alloc(0);
  let status = 'running';
  let pending = options.pendingAnswers ?? 0;
  const puts: JobUpdate[] = [];
  const patches: { offset: number; length: number }[] = [];
  const tick = options.tick ?? (() => Promise.resolve());

  async function exchange<T extends { kind: string }>(apply: () => T) {
    await tick();
    const fault = options.fault?.() ?? 'none';
    if (fault === 'request lost') return { kind: 'unavailable', reason: 'ECONNRESET', answered: false } as const;
    if (fault === 'server error') return { kind: 'unavailable', reason: 'status 502', answered: false } as const;
    const answer = apply();
    await tick();
    return fault === 'answer lost' ? ({ kind: 'unavailable', reason: 'ECONNRESET', answered: false } as const) : answer;
  }

  const api: Pick<JobApi, 'patchTrace' | 'updateJob'> = {
    patchTrace: ({ offset, bytes }) =>
      exchange((): PatchTraceOutcome => {
        patches.push({ offset, length: bytes.length });
        if (bytes.length === 0 || bytes.length > 1024 * 1024) throw new Error('a chunk of a size that GitLab refuses');
        if (!['running', 'canceling'].includes(status)) return outcomeOfForbidden(status);
        if (offset === log.length) log = Buffer.concat([log, bytes]);
        if (log.length !== offset + bytes.length) return { kind: 'misplaced', size: log.length };
        return { kind: 'accepted', jobStatus: status };
      }),
    updateJob: (update) =>
      exchange((): UpdateJobOutcome => {
        puts.push(update);
        if (!['running', 'canceling'].includes(status)) return outcomeOfForbidden(status);
        if (update.state === 'running') return { kind: 'accepted', jobStatus: status };
        if (pending > 0) {
          pending -= 1;
          return { kind: 'waiting', jobStatus: status, intervalMs: 1_000 };
        }
        status = status === 'canceling' ? 'canceled' : update.state;
        return { kind: 'accepted', jobStatus: status };
      }),
  };
  return {
    api: api as JobApi,
    log: () => log,
    dropLog: () => (log = Buffer.alloc(0)),
    status: () => status,
    set: (next: string) => (status = next),
    puts,
    patches,
    finals: () => puts.filter(({ state }) => state !== 'running'),
  };
}

/** Time passes only when somebody waits. */
function virtualClock(): Clock & { advance(ms: number): void } {
  let nowMs = 1_000_000;
  return {
    now: () => nowMs,
    advance: (ms) => (nowMs += ms),
    sleep: (ms, signal) => {
      signal?.throwIfAborted();
      nowMs += ms;
      return Promise.resolve();
    },
    random: () => 0.5,
  };
}

const SUCCESS: JobReport = { state: 'success', failureReason: null, exitCode: null };

/** A log that grows by one piece at each look, then ends. */
function growingJob(pieces: readonly Buffer[], clock: { advance(ms: number): void }, report: JobReport = SUCCESS) {
  const whole = Buffer.concat(pieces);
  let visible = 0;
  const size = () => pieces.slice(0, visible).reduce((sum, piece) => sum + piece.length, 0);
  const checksum = createChecksum();
  checksum.update(whole);
  const source: JobSource = {
    size: () => Promise.resolve(size()),
    read: (start, end) => Promise.resolve(whole.subarray(start, Math.min(end, size()))),
    end: () =>
      Promise.resolve(
        visible > pieces.length ? { bytes: whole.length, checksum: checksum.value(), report } : undefined,
      ),
    grown: (ms) => {
      visible += 1;
      clock.advance(ms);
      return Promise.resolve();
    },
  };
  return { source, whole, checksum: checksum.value(), finish: () => (visible = pieces.length + 1) };
}

const INPUT: ConversationInput = { failureReasons: [], cancelAcknowledged: false, silenceLimitMs: 3_600_000 };

function run(
  gitlab: ReturnType<typeof modelOfGitlab>,
  source: JobSource,
  clock: Clock,
  given: Partial<ConversationInput> & { offset?: number; heardAtMs?: number; signal?: AbortSignal } = {},
): Promise<ReportOutcome> {
  return converse(
    { job: gitlab.api, source, clock, wallClock: () => clock.now(), log: () => undefined, observeLag: () => undefined },
    { ...INPUT, ...given },
    { offset: given.offset ?? 0, heardAtMs: given.heardAtMs ?? clock.now() },
    given.signal ?? new AbortController().signal,
  );
}

const pieces = fc.array(
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  {
    maxLength: 12,
  },
);
const faults = fc.array(fc.constantFrom<Fault>('none', 'none', 'request lost', 'answer lost', 'server error'), {
  maxLength: 60,
});

describe('whatever the network does', () => {
  it('GitLab has every byte once, in order, and one final status', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, faults, fc.nat(3), fc.nat(200), async (given, trouble, pendingAnswers, offset) => {
        const queue = [...trouble];
        const gitlab = modelOfGitlab({ fault: () => queue.shift() ?? 'none', pendingAnswers });
        const clock = virtualClock();
        const job = growingJob(given, clock);

        const outcome = await run(gitlab, job.source, clock, { offset });

        expect(outcome).toEqual({ kind: 'delivered', coordinatorState: 'success' });
        expect(gitlab.log()).toEqual(job.whole);
        expect(new Set(gitlab.finals().map((put) => JSON.stringify(put))).size).toBe(1);
        expect(gitlab.finals()[0]).toMatchObject({
          state: 'success',
          output: { checksum: job.checksum, bytesize: job.whole.length },
        });
      }),
      { numRuns: 300 },
    );
  });

  it('two conversations at once do no harm: one was paused and does not know', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, faults, fc.array(fc.nat(3), { maxLength: 80 }), async (given, trouble, turns) => {
        const queue = [...trouble];
        const order = [...turns];
        const gitlab = modelOfGitlab({
          fault: () => queue.shift() ?? 'none',
          // Each may be overtaken by the other before its request and before its answer.
          tick: async () => {
            for (let left = order.shift() ?? 0; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
          },
        });
        const clock = virtualClock();
        const job = growingJob(given, clock);

        const outcomes = await Promise.all([run(gitlab, job.source, clock), run(gitlab, job.source, clock)]);

        expect(gitlab.log()).toEqual(job.whole);
        // One may hear of the end as it asks whether the job still runs; which counts is the workflow's business.
        expect(outcomes.map(({ kind }) => kind)).toContain('delivered');
        expect(gitlab.status()).toBe('success');
      }),
      { numRuns: 200 },
    );
  });

  it('goes on where a conversation that was killed anywhere has stopped', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, fc.array(fc.nat(12), { minLength: 1, maxLength: 6 }), async (given, lives) => {
        const clock = virtualClock();
        const job = growingJob(given, clock);
        let left = 0;
        let killed = new AbortController();
        const gitlab = modelOfGitlab({
          fault: () => {
            left -= 1;
            if (left >= 0) return 'none';
            killed.abort(new Error('killed'));
            return 'answer lost';
          },
        });
        let outcome: ReportOutcome | undefined;
        for (const requests of [...lives, 1_000]) {
          left = requests;
          killed = new AbortController();
          outcome = await run(gitlab, job.source, clock, { signal: killed.signal }).catch(() => undefined);
          if (outcome !== undefined) break;
        }

        expect(outcome).toEqual({ kind: 'delivered', coordinatorState: 'success' });
        expect(gitlab.log()).toEqual(job.whole);
        expect(gitlab.finals().length).toBeGreaterThanOrEqual(1);
      }),
      { numRuns: 200 },
    );
  });
});

describe('while the job runs', () => {
  it('sends no chunk larger than 1 MiB and none before the interval is over', async () => {
    const gitlab = modelOfGitlab();
    const clock = virtualClock();
    const job = growingJob([Buffer.alloc(3 * 1024 * 1024, 'a')], clock);

    await run(gitlab, job.source, clock);

    expect(gitlab.patches.map(({ length }) => length)).toEqual([1 << 20, 1 << 20, 1 << 20]);
  });

  it('waits for the interval that the server names', async () => {
    const clock = virtualClock();
    const sentAtMs: number[] = [];
    const gitlab = modelOfGitlab();
    const { patchTrace } = gitlab.api;
    gitlab.api.patchTrace = async (chunk, signal) => {
      sentAtMs.push(clock.now());
      const outcome = await patchTrace(chunk, signal);
      return outcome.kind === 'accepted' ? { ...outcome, intervalMs: 20_000 } : outcome;
    };
    const job = growingJob(
      Array.from({ length: 200 }, () => Buffer.from('x')),
      clock,
    );

    await run(gitlab, job.source, clock);

    const pauses = sentAtMs.slice(1, -1).map((at, index) => at - sentAtMs[index]!);
    expect(pauses.length).toBeGreaterThan(0);
    for (const pause of pauses) expect(pause).toBeGreaterThanOrEqual(20_000);
  });

  it('gives a sign of life every 30 s while there is nothing to say', async () => {
    const gitlab = modelOfGitlab();
    const clock = virtualClock();
    const job = growingJob(
      Array.from({ length: 500 }, () => Buffer.alloc(0)),
      clock,
    );

    await run(gitlab, job.source, clock);

    expect(gitlab.puts.filter(({ state }) => state === 'running')).toHaveLength(4);
  });

  it('says nothing at all before GitLab wants to hear of it again, and then goes on', async () => {
    const gitlab = modelOfGitlab();
    const clock = virtualClock();
    const job = growingJob(
      Array.from({ length: 1_000 }, () => Buffer.from('x')),
      clock,
    );
    const saidAtMs: number[] = [];
    const wish = { kind: 'unavailable', reason: 'status 429', answered: true, retryAfterMs: 100_000 } as const;
    const api: Pick<JobApi, 'patchTrace' | 'updateJob'> = {
      patchTrace: (...args) => {
        saidAtMs.push(clock.now());
        return saidAtMs.length === 1 ? Promise.resolve(wish) : gitlab.api.patchTrace(...args);
      },
      updateJob: (...args) => {
        saidAtMs.push(clock.now());
        return gitlab.api.updateJob(...args);
      },
    };

    await run({ ...gitlab, api: api as JobApi }, job.source, clock);

    expect(saidAtMs[1]! - saidAtMs[0]!).toBeGreaterThanOrEqual(100_000);
    expect(saidAtMs[1]! - saidAtMs[0]!).toBeLessThan(110_000);
    expect(gitlab.log()).toEqual(job.whole);
  });

  it('does not go on with the log while its sign of life was asked to wait', async () => {
    const gitlab = modelOfGitlab();
    const clock = virtualClock();
    const job = growingJob(
      Array.from({ length: 1_000 }, (_, index) => Buffer.from(index < 130 ? '' : 'x')),
      clock,
    );
    const { updateJob, patchTrace } = gitlab.api;
    let askedAtMs: number | undefined;
    const firstPatchAtMs: number[] = [];
    gitlab.api.updateJob = (...args) => {
      if (askedAtMs !== undefined) return updateJob(...args);
      askedAtMs = clock.now();
      return Promise.resolve({ kind: 'unavailable', reason: 'status 429', answered: true, retryAfterMs: 60_000 });
    };
    gitlab.api.patchTrace = (...args) => {
      firstPatchAtMs.push(clock.now());
      return patchTrace(...args);
    };

    await run(gitlab, job.source, clock);

    expect(firstPatchAtMs[0]! - askedAtMs!).toBeGreaterThanOrEqual(60_000);
  });

  it.each(['canceled', 'failed'])('is aborted when GitLab has ended the job (%s)', async (status) => {
    const gitlab = modelOfGitlab();
    gitlab.set(status);
    const clock = virtualClock();

    const outcome = await run(gitlab, growingJob([Buffer.from('x'), Buffer.from('y')], clock).source, clock);

    expect(outcome).toEqual({ kind: 'aborted', coordinatorState: status });
  });

  it('asks for a graceful end once, and says where it was', async () => {
    const gitlab = modelOfGitlab();
    gitlab.set('canceling');
    const clock = virtualClock();
    const job = growingJob([Buffer.from('hello'), Buffer.from('!')], clock, {
      state: 'canceled',
      failureReason: 'job_canceled',
      exitCode: null,
    });

    const first = await run(gitlab, job.source, clock);
    const second = await run(gitlab, job.source, clock, { cancelAcknowledged: true, offset: 5 });

    expect(first).toEqual({ kind: 'cancelRequested', offset: 5 });
    expect(second).toEqual({ kind: 'delivered', coordinatorState: 'canceled' });
    expect(gitlab.finals()).toMatchObject([{ state: 'failed', failureReason: 'unknown_failure' }]);
    expect(gitlab.log()).toEqual(job.whole);
  });

  it.each<PatchTraceOutcome>([
    { kind: 'misplaced', size: 1, jobStatus: 'canceling' },
    { kind: 'unknown', jobStatus: 'canceling' },
    { kind: 'unavailable', reason: 'status 500', answered: false, jobStatus: 'canceling' },
  ])('hears of a cancel in an answer to its log that is none: %j', async (answer) => {
    const gitlab = modelOfGitlab();
    const clock = virtualClock();
    gitlab.api.patchTrace = () => Promise.resolve(answer);

    const outcome = await run(gitlab, growingJob([Buffer.from('log'), Buffer.from('!')], clock).source, clock);

    expect(outcome).toMatchObject({ kind: 'cancelRequested' });
  });

  it('hears of a cancel in an answer to its sign of life that is none', async () => {
    const gitlab = modelOfGitlab();
    const clock = virtualClock();
    gitlab.api.updateJob = () =>
      Promise.resolve({ kind: 'unavailable', reason: 'status 409', answered: true, jobStatus: 'canceling' });
    const job = growingJob([Buffer.from('log')], clock);
    const silent: JobSource = { ...job.source, size: () => Promise.resolve(0), end: () => Promise.resolve(undefined) };

    expect(await run(gitlab, silent, clock)).toMatchObject({ kind: 'cancelRequested' });
  });

  it('lives through a 403 with a status before running', async () => {
    const gitlab = modelOfGitlab();
    gitlab.set('pending');
    const clock = virtualClock();
    const job = growingJob([Buffer.from('x')], clock);
    const { patchTrace } = gitlab.api;
    gitlab.api.patchTrace = (chunk, signal) => {
      const answer = patchTrace(chunk, signal);
      gitlab.set('running');
      return answer;
    };

    expect(await run(gitlab, job.source, clock)).toEqual({ kind: 'delivered', coordinatorState: 'success' });
  });
});

describe('at the end', () => {
  it('does not wait for the interval', async () => {
    const gitlab = modelOfGitlab();
    const clock = virtualClock();
    const job = growingJob([Buffer.from('x'), Buffer.from('y')], clock);
    job.finish();
    const before = clock.now();

    await run(gitlab, job.source, clock);

    expect(clock.now() - before).toBe(0);
  });

  it('still waits as long as GitLab has asked, when the job ends meanwhile', async () => {
    const gitlab = modelOfGitlab();
    const clock = virtualClock();
    const job = growingJob([Buffer.from('x')], clock);
    const sentAtMs: number[] = [];
    const patchTrace: JobApi['patchTrace'] = (...args) => {
      sentAtMs.push(clock.now());
      if (sentAtMs.length > 1) return gitlab.api.patchTrace(...args);
      job.finish();
      return Promise.resolve({ kind: 'unavailable', reason: 'status 429', answered: true, retryAfterMs: 7_000 });
    };

    await run({ ...gitlab, api: { ...gitlab.api, patchTrace } }, job.source, clock);

    expect(gitlab.status()).toBe('success');
    expect(sentAtMs[1]! - sentAtMs[0]!).toBeGreaterThanOrEqual(7_000);
  });

  it('waits a 202 out, however often it comes, and sends the same again', async () => {
    const gitlab = modelOfGitlab({ pendingAnswers: 40 });
    const clock = virtualClock();
    const job = growingJob([Buffer.from('x')], clock);

    expect(await run(gitlab, job.source, clock)).toEqual({ kind: 'delivered', coordinatorState: 'success' });
    expect(gitlab.finals()).toHaveLength(41);
  });

  it('waits between final statuses as their answers say, not as those to the log did', async () => {
    const clock = virtualClock();
    const gitlab = modelOfGitlab();
    const job = growingJob([Buffer.from('x')], clock);
    job.finish();
    const { patchTrace, updateJob } = gitlab.api;
    const putAtMs: number[] = [];
    const waits: UpdateJobOutcome[] = [
      { kind: 'waiting', jobStatus: 'running' },
      { kind: 'waiting', jobStatus: 'running', intervalMs: 8_000 },
    ];
    gitlab.api.patchTrace = async (...args) => ({ ...(await patchTrace(...args)), intervalMs: 60_000 });
    gitlab.api.updateJob = (...args) => {
      putAtMs.push(clock.now());
      const wait = waits.shift();
      return wait === undefined ? updateJob(...args) : Promise.resolve(wait);
    };

    await run(gitlab, job.source, clock);

    expect(putAtMs.map((at) => at - putAtMs[0]!)).toEqual([0, 3_000, 11_000]);
  });

  it('sends the whole log again after a 412', async () => {
    const gitlab = modelOfGitlab();
    const clock = virtualClock();
    const job = growingJob([Buffer.from('hello')], clock);
    const { updateJob } = gitlab.api;
    let refusals = 1;
    gitlab.api.updateJob = (update, signal) => {
      if (update.state === 'running' || refusals === 0) return updateJob(update, signal);
      refusals -= 1;
      gitlab.dropLog();
      return Promise.resolve({ kind: 'resend', jobStatus: 'running' });
    };

    expect(await run(gitlab, job.source, clock)).toEqual({ kind: 'delivered', coordinatorState: 'success' });
    expect(gitlab.log()).toEqual(job.whole);
  });

  it('tells a foreign end from its own', async () => {
    const gitlab = modelOfGitlab();
    const clock = virtualClock();
    const job = growingJob([Buffer.from('x')], clock);
    job.finish();
    gitlab.set('failed');

    const outcome = await run(gitlab, job.source, clock);

    expect(outcome).toMatchObject({ kind: 'undelivered' });
    expect(outcome.kind === 'undelivered' && outcome.reason).toContain('"failed" by itself');
  });

  it('gives up when GitLab has been silent for longer than it keeps a job, but tries first', async () => {
    const down = modelOfGitlab({ fault: () => 'request lost' });
    const back = modelOfGitlab();
    const clock = virtualClock();
    const job = growingJob([Buffer.from('x')], clock);
    job.finish();
    const longAgo = { heardAtMs: clock.now() - 7_200_000 };

    expect(await run(down, job.source, clock, longAgo)).toMatchObject({ kind: 'undelivered' });
    expect(await run(back, job.source, clock, longAgo)).toEqual({ kind: 'delivered', coordinatorState: 'success' });
  });

  it('keeps on for as long as GitLab may still take the job', async () => {
    const clock = virtualClock();
    const beganMs = clock.now();
    const gitlab = modelOfGitlab({ fault: () => (clock.now() - beganMs < 3_000_000 ? 'server error' : 'none') });
    const job = growingJob([Buffer.from('x')], clock);

    expect(await run(gitlab, job.source, clock)).toEqual({ kind: 'delivered', coordinatorState: 'success' });
  });

  it.each([
    [
      { state: 'failed', failureReason: 'script_failure', exitCode: 7 },
      [],
      { failureReason: 'script_failure', exitCode: 7 },
    ],
    [
      { state: 'failed', failureReason: 'image_pull_failure', exitCode: null },
      [],
      { failureReason: 'runner_system_failure' },
    ],
    [
      { state: 'failed', failureReason: 'image_pull_failure', exitCode: null },
      ['image_pull_failure'],
      { failureReason: 'image_pull_failure' },
    ],
    [
      { state: 'failed', failureReason: 'runner_configuration_error', exitCode: null },
      [],
      { failureReason: 'script_failure' },
    ],
    [
      { state: 'canceled', failureReason: 'job_canceled', exitCode: null },
      ['job_canceled'],
      { failureReason: 'job_canceled' },
    ],
    [{ state: 'canceled', failureReason: 'job_canceled', exitCode: null }, [], { failureReason: 'unknown_failure' }],
  ] as const)('reports %j to a GitLab that knows %j', async (report, failureReasons, expected) => {
    const gitlab = modelOfGitlab();
    const clock = virtualClock();
    const job = growingJob([], clock, report);

    await run(gitlab, job.source, clock, { failureReasons });

    expect(gitlab.finals()).toMatchObject([{ state: 'failed', ...expected }]);
  });
});
