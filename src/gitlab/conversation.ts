import type { JobReport, ReportOutcome } from '../contracts/activities.js';
import { createBackoff, type Backoff } from './backoff.js';
import type { JobApi, JobUpdate } from './client.js';
import type { Clock } from './clock.js';
import { finalUpdate } from './failure-reasons.js';
import { isEnded, type Said, type Unavailable } from './outcomes.js';
import { createTraceSender, type TraceSource } from './trace-sender.js';

/** The whole job as it goes to GitLab: its log, and at some time its end. */
export interface JobSource extends TraceSource {
  /** Once the log is whole and the result decided; the same at every reading. */
  end(): Promise<JobEnd | undefined>;
  /** Resolves when there may be more, after `ms`, or when the signal aborts; a hint, never an error. */
  grown(ms: number, signal: AbortSignal): Promise<void>;
}

export interface JobEnd {
  bytes: number;
  /** `crc32:` and eight hexadecimal digits, over the whole log. */
  checksum: string;
  report: JobReport;
}

export interface Progress {
  /** Where GitLab's log ends, as far as we know. */
  offset: number;
  /** When GitLab answered last (Unix time). */
  heardAtMs: number;
}

export interface ConversationDeps {
  job: JobApi;
  source: JobSource;
  clock: Clock;
  /** Unix time; for what outlives this process. */
  wallClock: () => number;
  log: (facts: object, message: string) => void;
  /** The coordinator did not take something; for the job's flight recorder. */
  trouble?: (reason: string) => void;
  /** Seconds from a byte's being there to GitLab's having it. */
  observeLag: (seconds: number) => void;
}

export interface ConversationInput {
  /** `features.failure_reasons` of the payload. */
  failureReasons: readonly string[];
  /** The job is being cancelled already: GitLab's wish is known. */
  cancelAcknowledged: boolean;
  /** A finished job is given up when GitLab has been silent for longer: it ends such jobs itself. */
  silenceLimitMs: number;
}

/** The reference's period before the server has named one. */
const FIRST_INTERVAL_MS = 3_000;
const KEEP_ALIVE_MS = 30_000;
/** How long a sender in another process than the writer may miss that there is more. */
const LOOK_MS = 250;
const RETRY = { firstMs: 500, maxMs: 10_000 };

/**
 * Everything that GitLab hears of a job after it was taken: its log as it grows, a sign of life while it is silent, and the
 * final status, sent until GitLab has answered that it has it. May be stopped and begun anew anywhere, also twice at once.
 * @throws the signal's reason when it aborts
 */
export async function converse(
  deps: ConversationDeps,
  input: ConversationInput,
  progress: Progress,
  signal: AbortSignal,
): Promise<ReportOutcome> {
  const talk = createTalk(deps, input, progress, signal);
  const running = await talk.whileRunning();
  return running.kind === 'ended' ? await talk.finish(running.end) : running;
}

type Running = { kind: 'ended'; end: JobEnd } | Extract<ReportOutcome, { kind: 'cancelRequested' | 'aborted' }>;

function createTalk(deps: ConversationDeps, input: ConversationInput, progress: Progress, signal: AbortSignal) {
  const { job, source, clock } = deps;
  const sender = createTraceSender(job, progress.offset);
  const backoff = createBackoff({ ...RETRY, random: () => clock.random() });
  let intervalMs = FIRST_INTERVAL_MS;
  /** Of the log: the next chunk may go. */
  let sendAtMs = 0;
  let quietSinceMs = clock.now();
  let waitingSinceMs: number | undefined;
  /** GitLab has asked (429, Retry-After) not to hear of us before. */
  let patientUntilMs = 0;
  // Across processes only the wall clock tells the silence; within this one it may jump.
  let heardAtMs = clock.now() - Math.max(0, deps.wallClock() - progress.heardAtMs);

  function answered(): void {
    heardAtMs = clock.now();
    progress.heardAtMs = deps.wallClock();
  }

  function heard(said?: Said): void {
    answered();
    backoff.reset();
    progress.offset = sender.offset;
    if (said?.intervalMs !== undefined) intervalMs = said.intervalMs;
  }

  function failed(outcome: Unavailable): number {
    if (outcome.answered) answered();
    const delayMs = backoff.next(outcome.retryAfterMs);
    if (outcome.retryAfterMs !== undefined) {
      patientUntilMs = Math.max(patientUntilMs, clock.now() + outcome.retryAfterMs);
    }
    deps.trouble?.(outcome.reason);
    deps.log(
      { reason: outcome.reason, retryInMs: Math.round(delayMs) },
      'GitLab did not take an update; it is repeated',
    );
    return delayMs;
  }

  /** @returns what ends the running phase; a wish to cancel counts with any answer */
  function verdict({ jobStatus = null }: { jobStatus?: string | null }): Running | undefined {
    if (isEnded(jobStatus)) return { kind: 'aborted', coordinatorState: jobStatus };
    if (jobStatus === 'canceling' && !input.cancelAcknowledged) {
      return { kind: 'cancelRequested', offset: sender.offset };
    }
    return undefined;
  }

  async function sendChunk(): Promise<Running | undefined> {
    const outcome = await sender.send(source, signal);
    switch (outcome.kind) {
      case 'idle':
        return undefined;
      case 'sent':
        heard(outcome);
        quietSinceMs = clock.now();
        sendAtMs = clock.now() + intervalMs;
        if (waitingSinceMs !== undefined) deps.observeLag((clock.now() - waitingSinceMs) / 1000);
        waitingSinceMs = undefined;
        return verdict(outcome);
      case 'realigned':
        heard();
        // Not a chunk that was taken: the right one may follow at once.
        sendAtMs = clock.now();
        return verdict(outcome);
      case 'refused':
        return { kind: 'aborted', coordinatorState: outcome.jobStatus };
      case 'unknown':
        sendAtMs = clock.now() + failed({ kind: 'unavailable', reason: 'status 404', answered: true });
        return verdict(outcome);
      case 'unavailable':
        sendAtMs = clock.now() + failed(outcome);
        return verdict(outcome);
    }
  }

  async function signOfLife(): Promise<Running | undefined> {
    const outcome = await job.updateJob({ state: 'running' }, signal);
    switch (outcome.kind) {
      case 'accepted':
      case 'waiting':
      case 'resend':
        heard(outcome);
        quietSinceMs = clock.now();
        return verdict(outcome);
      case 'refused':
        return { kind: 'aborted', coordinatorState: outcome.jobStatus };
      case 'unknown':
        return { kind: 'aborted', coordinatorState: null };
      case 'unavailable':
        // As if it had been taken, but for the back-off: the next sign is due when that is over.
        quietSinceMs = clock.now() - KEEP_ALIVE_MS + failed(outcome);
        return verdict(outcome);
    }
  }

  async function whileRunning(): Promise<Running> {
    for (;;) {
      signal.throwIfAborted();
      const end = await source.end();
      if (end !== undefined) return { kind: 'ended', end };
      const more = (await source.size()) > sender.offset;
      if (more) waitingSinceMs ??= clock.now();
      const now = clock.now();
      let over: Running | undefined;
      // Neither log nor sign of life. No server can ask for so long that GitLab would take the job for dead.
      if (now < patientUntilMs) await source.grown(Math.min(LOOK_MS, patientUntilMs - now), signal);
      else if (more && now >= sendAtMs) over = await sendChunk();
      else if (now - quietSinceMs >= KEEP_ALIVE_MS) over = await signOfLife();
      else await source.grown(LOOK_MS, signal);
      if (over !== undefined) return over;
    }
  }

  /**
   * All that is left of the log, back to back.
   * @returns undefined when GitLab has it all, or takes no more of it
   */
  async function flush(end: JobEnd): Promise<Unavailable | undefined> {
    sender.checkEnd(end.bytes);
    while (sender.offset < end.bytes) {
      const outcome = await sender.send(source, signal);
      switch (outcome.kind) {
        case 'sent':
          // Its interval is for a log that still grows; between final statuses only theirs counts.
          heard();
          if (isEnded(outcome.jobStatus)) return undefined;
          break;
        case 'realigned':
          heard();
          break;
        case 'idle': // our own log is shorter than its end says: the PUT tells the truth of what we have
        case 'refused':
        case 'unknown':
          return undefined;
        case 'unavailable':
          return outcome;
      }
    }
    return undefined;
  }

  /** @returns the end of our patience, if it has come: GitLab itself ends a job of which it hears nothing */
  async function waitAfter(outcome: Unavailable): Promise<ReportOutcome | undefined> {
    const delayMs = failed(outcome);
    const silentMs = clock.now() - heardAtMs;
    if (silentMs > input.silenceLimitMs) {
      const minutes = String(Math.round(silentMs / 60_000));
      return {
        kind: 'undelivered',
        reason: `no answer for ${minutes} min, longer than it keeps a job open (${outcome.reason})`,
      };
    }
    await pause(delayMs);
    return undefined;
  }

  async function pause(ms: number): Promise<void> {
    await clock.sleep(ms, signal);
  }

  async function finish(end: JobEnd): Promise<ReportOutcome> {
    const update: JobUpdate = {
      ...finalUpdate(end.report, input.failureReasons),
      output: { checksum: end.checksum, bytesize: end.bytes },
    };
    intervalMs = FIRST_INTERVAL_MS;
    // The job may have ended in the middle of a wait that GitLab has asked for.
    if (patientUntilMs > clock.now()) await pause(patientUntilMs - clock.now());
    const resends = createBackoff({ firstMs: 1_000, maxMs: 60_000, random: () => clock.random() });
    for (;;) {
      signal.throwIfAborted();
      const unavailable = await flush(end);
      const outcome = unavailable === undefined ? await tell(update, end, resends) : await waitAfter(unavailable);
      if (outcome !== undefined) return outcome;
    }
  }

  /** One final PUT. Only a 200 decides; a lost one shows in the 403 of the next. */
  async function tell(update: JobUpdate, end: JobEnd, resends: Backoff): Promise<ReportOutcome | undefined> {
    const outcome = await job.updateJob(update, signal);
    switch (outcome.kind) {
      case 'accepted':
        return { kind: 'delivered', coordinatorState: outcome.jobStatus ?? update.state };
      case 'waiting':
        heard(outcome);
        await pause(intervalMs);
        return undefined;
      case 'resend':
        heard(outcome);
        sender.restart();
        await pause(resends.next(outcome.intervalMs));
        return undefined;
      case 'refused':
        return judge(update, end.report, outcome.jobStatus);
      case 'unknown':
        return { kind: 'undelivered', reason: 'it does not know the job any more' };
      case 'unavailable':
        return await waitAfter(outcome);
    }
  }

  return { whileRunning, finish };
}

/**
 * The job is over at GitLab. With the state that we have sent, an earlier PUT has arrived and only its answer was lost;
 * with another, GitLab has ended the job by itself.
 */
function judge(update: JobUpdate, report: JobReport, jobStatus: string | null): ReportOutcome {
  if (jobStatus === update.state) return { kind: 'delivered', coordinatorState: jobStatus };
  // While it is being cancelled, GitLab makes `canceled` of whatever is reported.
  if (jobStatus === 'canceled') return { kind: 'delivered', coordinatorState: jobStatus };
  const has =
    jobStatus === null ? 'it does not take the job any more' : `it has ended the job as "${jobStatus}" by itself`;
  return { kind: 'undelivered', reason: `${has}; ours is "${report.state}"` };
}
