import { createBackoff } from './backoff.js';
import type { GitlabClient } from './client.js';
import type { Clock } from './clock.js';
import type { RequestJobOutcome } from './outcomes.js';
import type { Logger } from '../telemetry/logger.js';

export interface PollerDeps {
  entry: string;
  client: Pick<GitlabClient, 'requestJob'>;
  /** Whether a job could be run now: a free machine, below the limit, and Temporal there to take it. */
  hasRoom(signal: AbortSignal): Promise<boolean>;
  /** Resolves when there may be room again, after `ms`, or when the signal aborts; a hint, never an error. */
  roomChanged(ms: number, signal: AbortSignal): Promise<void>;
  /** Takes an assigned job: returns when it is safe against a crash. Never rejects: there is nobody to give it back to. */
  take(body: Buffer): Promise<void>;
  clock: Clock;
  logger: Logger;
}

/** Asks GitLab for jobs with one runner token. Independent of all others: one GitLab that hangs holds up no other. */
export interface Poller {
  start(): void;
  /**
   * No further request is made; the one under way is waited for, since an assigned job whose answer nobody reads is lost.
   * @param patienceMs after this it is cut
   */
  stop(patienceMs: number): Promise<void>;
}

/** Idle: every second at most, spread. */
const IDLE_MS = 1_000;
/** A request that took as long was held by the server: the next one may follow at once. */
const HELD_MS = 1_000;
const AFTER_HELD_MS = 50;
const ASK_FOR_ROOM_MS = 500;
/** An outage is over within seconds for us, too. */
const OUTAGE = { firstMs: 250, maxMs: 5_000 };
/** A token that is refused: GitLab's runner sleeps for an hour, but a restarted GitLab may refuse for a moment. */
const FORBIDDEN = { firstMs: 1_000, maxMs: 30_000 };

export function createPoller(deps: PollerDeps): Poller {
  const { clock, logger, entry } = deps;
  const random = () => clock.random();
  const stopping = new AbortController();
  const cutting = new AbortController();
  const outage = createBackoff({ ...OUTAGE, random });
  const forbidden = createBackoff({ ...FORBIDDEN, random });
  let lastUpdate: string | null = null;
  let trouble: string | undefined;
  let running: Promise<void> = Promise.resolve();

  async function poll(): Promise<void> {
    const signal = stopping.signal;
    while (!signal.aborted) {
      if (!(await roomForOne(signal))) {
        await deps.roomChanged(ASK_FOR_ROOM_MS, signal);
        continue;
      }
      // Told to stop while it looked.
      if (signal.aborted) return;
      const askedAtMs = clock.now();
      const outcome = await ask();
      if (outcome.kind === 'job' || outcome.kind === 'none') lastUpdate = outcome.lastUpdate ?? lastUpdate;
      if (outcome.kind === 'job') await deps.take(outcome.body);
      report(outcome);
      const pauseMs = pauseAfter(outcome, clock.now() - askedAtMs);
      if (pauseMs > 0) await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
  }

  /** A token file that cannot be read just now must not end the polling. */
  async function ask(): Promise<RequestJobOutcome> {
    try {
      return await deps.client.requestJob({ lastUpdate, signal: cutting.signal });
    } catch (error) {
      cutting.signal.throwIfAborted();
      return { kind: 'unavailable', reason: String(error), answered: false };
    }
  }

  async function roomForOne(signal: AbortSignal): Promise<boolean> {
    try {
      return await deps.hasRoom(signal);
    } catch (error) {
      if (!signal.aborted)
        logger.warn({ entry, error: String(error) }, 'Cannot tell whether there is room for a job; asking no GitLab');
      return false;
    }
  }

  function pauseAfter(outcome: RequestJobOutcome, tookMs: number): number {
    if (outcome.kind !== 'unavailable') outage.reset();
    if (outcome.kind !== 'forbidden') forbidden.reset();
    switch (outcome.kind) {
      case 'job':
        return 0;
      case 'none':
        return tookMs >= HELD_MS ? AFTER_HELD_MS : jittered(IDLE_MS);
      case 'conflict':
        return jittered(IDLE_MS / 2);
      case 'forbidden':
        return forbidden.next();
      case 'unavailable':
        return outage.next(outcome.retryAfterMs);
    }
  }

  /** Three quarters to the whole of it. */
  function jittered(ms: number): number {
    return ms * (0.75 + random() / 4);
  }

  /** A state of trouble is told when it begins and when it ends, not at every request. */
  function report(outcome: RequestJobOutcome): void {
    const now =
      outcome.kind === 'forbidden' || outcome.kind === 'unavailable' ? `${outcome.kind}: ${outcome.reason}` : undefined;
    if (now === trouble) return;
    if (outcome.kind === 'forbidden') {
      logger.error(
        { entry, reason: outcome.reason },
        'GitLab refuses the runner token; it is tried again. `holdfast check` says what to do',
      );
    } else if (outcome.kind === 'unavailable') {
      logger.warn({ entry, reason: outcome.reason }, 'GitLab cannot be asked for jobs; it is tried again');
    } else logger.info({ entry }, 'GitLab answers again');
    trouble = now;
  }

  return {
    start() {
      running = poll().catch((error: unknown) => {
        if (!cutting.signal.aborted) logger.error({ entry, error }, 'The poller has ended by a fault of its own');
      });
    },
    async stop(patienceMs) {
      stopping.abort();
      const timer = setTimeout(() => cutting.abort(), patienceMs);
      await running;
      clearTimeout(timer);
    },
  };
}
