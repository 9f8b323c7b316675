import type { Coordinator } from '../contracts/ci-job.js';
import type { FailureReason } from '../contracts/names.js';
import type { JobSpec } from '../contracts/job-spec.js';
import type { Logger } from '../telemetry/logger.js';
import { createChecksum } from '../trace/checksum.js';
import { finalLine } from '../trace/format.js';
import { createBackoff } from './backoff.js';
import type { GitlabClient, JobCredentials } from './client.js';
import type { Clock } from './clock.js';
import { converse, type JobSource } from './conversation.js';
import { isEnded } from './outcomes.js';
import type { Spool } from './spool.js';

/** What a payload says, in the words of the room `payload`. */
export type ReadPayload =
  | { kind: 'job'; job: JobCredentials; spec: JobSpec; coordinator: Coordinator }
  | {
      kind: 'refused';
      job: JobCredentials;
      reason: FailureReason;
      message: string;
      failureReasons: string[];
      exitCode?: number;
    }
  /** Not even whose job it is can be read, so nobody can be told. */
  | { kind: 'unreadable'; problem: string };

/** `exists`: it was handed over twice. `impossible`: Temporal will never take it. */
export type StartOutcome = { kind: 'started' } | { kind: 'exists' } | { kind: 'impossible'; message: string };

export interface IntakeDeps {
  entry: string;
  spool: Spool;
  read(raw: Buffer): ReadPayload;
  client: Pick<GitlabClient, 'job'>;
  /** @throws when Temporal cannot be reached now */
  startWorkflow(job: { jobId: number; spec: JobSpec; coordinator: Coordinator }): Promise<StartOutcome>;
  /** Whether there is, or was, a workflow of the job. @throws when Temporal cannot be reached now */
  hasWorkflow(jobId: number): Promise<boolean>;
  clock: Clock;
  logger: Logger;
  /** A job refused at the door must be told to GitLab for as long as it keeps it open. */
  silenceLimitMs: number;
}

/** From GitLab's answer to a workflow that has the job. */
export interface Intake {
  /** Returns once the answer is safe; the rest goes on beside. Never rejects. */
  take(raw: Buffer): Promise<void>;
  /** Go on with what an earlier process has left. */
  recover(): Promise<void>;
  /** Jobs that will want a machine and are not yet with Temporal. */
  inHand(): number;
  /** Gives what is under way some time; the rest stays in the spool for whoever looks next: another worker, or the next start. */
  stop(patienceMs: number): Promise<void>;
}

interface Refusal {
  reason: FailureReason;
  message: string;
  failureReasons: string[];
  exitCode?: number;
}

const RETRY = { firstMs: 250, maxMs: 5_000 };

export function createIntake(deps: IntakeDeps): Intake {
  const { entry, spool, logger, clock } = deps;
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  let inHand = 0;

  /** @param key undefined: it is in no spool */
  function inBackground(key: string | undefined, work: () => Promise<void>): void {
    const run = work()
      .catch((error: unknown) => {
        if (stopping.signal.aborted) return;
        if (key === undefined)
          logger.error({ entry, error }, 'A job that is in no spool could not be passed on: it is lost');
        else {
          spool.leave(key);
          logger.error({ entry, key, error }, 'A job could not be passed on; it stays in the spool and is tried again');
        }
      })
      .finally(() => running.delete(run));
    running.add(run);
  }

  async function passOn(key: string | undefined, raw: Buffer): Promise<void> {
    const payload = await untilDone('read the job', () => Promise.resolve().then(() => deps.read(raw)));
    switch (payload.kind) {
      case 'unreadable':
        logger.error({ entry, problem: payload.problem }, 'GitLab handed over something that is no job');
        break;
      case 'refused':
        if (await acknowledged(payload.job, payload.failureReasons)) await refuse(payload.job, payload);
        break;
      case 'job': {
        const refusal = await counted(() => begin(payload));
        if (refusal !== undefined) await refuse(payload.job, refusal);
      }
    }
    if (key !== undefined) await untilDone('remove from the spool', () => spool.remove(key));
  }

  async function counted<T>(work: () => Promise<T>): Promise<T> {
    inHand += 1;
    try {
      return await work();
    } finally {
      inHand -= 1;
    }
  }

  /** @returns why the job cannot be begun, if it cannot */
  async function begin(payload: Extract<ReadPayload, { kind: 'job' }>): Promise<Refusal | undefined> {
    const { job, spec, coordinator } = payload;
    const { failureReasons } = coordinator;
    if (!(await acknowledged(job, failureReasons))) return undefined;
    const started = await untilDone('start the workflow', () =>
      deps.startWorkflow({ jobId: job.id, spec, coordinator }),
    );
    if (started.kind === 'impossible') {
      return { reason: 'runner_system_failure', message: started.message, failureReasons };
    }
    logger.info({ entry, jobId: job.id, outcome: started.kind }, 'Job taken from GitLab');
    return undefined;
  }

  /** gitlab-protocol section 1.4: the job is run unless GitLab says clearly that it is over. */
  async function acknowledged(job: JobCredentials, failureReasons: string[]): Promise<boolean> {
    const outcome = await deps.client.job(job).updateJob({ state: 'running' }, stopping.signal);
    switch (outcome.kind) {
      case 'refused':
      case 'unknown':
        logger.info({ entry, jobId: job.id }, 'The job is over at GitLab; it is dropped');
        return false;
      case 'accepted':
      case 'waiting':
      case 'resend':
        if (isEnded(outcome.jobStatus)) return false;
        break;
      case 'unavailable':
    }
    if (outcome.jobStatus !== 'canceling') return true;
    await refuse(job, { reason: 'job_canceled', message: 'canceled', failureReasons });
    return false;
  }

  /** The end of a job that never became one of ours: one line of log and the final status. */
  async function refuse(job: JobCredentials, why: Refusal): Promise<void> {
    // Handed over twice, or left in the spool by a crash: a workflow has it, and its end is the workflow's to tell.
    if (await untilDone('look for the workflow', () => deps.hasWorkflow(job.id))) return;
    logger.warn({ entry, jobId: job.id, reason: why.reason, problem: why.message }, 'The job is refused');
    const outcome = await converse(
      {
        job: deps.client.job(job),
        source: refusalSource(why),
        clock,
        wallClock: Date.now,
        log: (facts, message) => logger.warn({ entry, jobId: job.id, ...facts }, message),
        observeLag: () => undefined,
      },
      { failureReasons: why.failureReasons, cancelAcknowledged: true, silenceLimitMs: deps.silenceLimitMs },
      { offset: 0, heardAtMs: Date.now() },
      stopping.signal,
    );
    if (outcome.kind !== 'delivered')
      logger.error({ entry, jobId: job.id, outcome }, 'GitLab could not be told of a refused job');
  }

  /** Temporal or the store may be away; the job is ours all the same. */
  async function untilDone<T>(what: string, work: () => Promise<T>): Promise<T> {
    const backoff = createBackoff({ ...RETRY, random: () => clock.random() });
    for (;;) {
      try {
        return await work();
      } catch (error) {
        stopping.signal.throwIfAborted();
        logger.warn({ entry, what, error: String(error) }, 'A job waits on its way from GitLab to its workflow');
        await clock.sleep(backoff.next(), stopping.signal);
      }
    }
  }

  return {
    inHand: () => inHand,
    async take(raw) {
      const key = await spool.put(raw).catch((error: unknown) => {
        // It is assigned: without a spool it is only less safe, not lost.
        logger.error({ entry, error }, 'A job could not be spooled; it is passed on without');
        return undefined;
      });
      inBackground(key, () => passOn(key, raw));
    },
    async recover() {
      for (const key of await spool.list()) {
        inBackground(key, async () => {
          const raw = await spool.read(key);
          if (raw === undefined) return;
          logger.info({ entry, key }, 'Going on with a job from the spool');
          await passOn(key, raw);
        });
      }
    },
    async stop(patienceMs) {
      const timer = setTimeout(() => stopping.abort(), patienceMs);
      while (running.size > 0) await Promise.all(running);
      clearTimeout(timer);
      stopping.abort();
    },
  };
}

function refusalSource({ reason, message, exitCode }: Refusal): JobSource {
  const state = reason === 'job_canceled' ? 'canceled' : 'failed';
  const report = { state, failureReason: reason, exitCode: exitCode ?? null } as const;
  const text = Buffer.from(finalLine({ kind: state, reason, exitCode: report.exitCode, message }));
  const checksum = createChecksum();
  checksum.update(text);
  return {
    size: () => Promise.resolve(text.length),
    read: (start, end) => Promise.resolve(text.subarray(start, end)),
    end: () => Promise.resolve({ bytes: text.length, checksum: checksum.value(), report }),
    grown: () => Promise.resolve(),
  };
}
