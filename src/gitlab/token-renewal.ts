import type { Logger } from '../telemetry/logger.js';
import { EXPIRY_WARNING_MS, explainExpiry, LOST_TOKEN } from './explain.js';
import type { GitlabClient } from './client.js';
import type { Clock } from './clock.js';
import type { Replacement, TokenFile } from './token-file.js';

export interface RenewalDeps {
  entry: string;
  client: Pick<GitlabClient, 'verify' | 'resetToken'>;
  /** Undefined: the token cannot be replaced where it comes from, or must not be; then its end is told in time. */
  file: TokenFile | undefined;
  clock: Clock;
  /** Unix time, where GitLab does not tell its own. */
  wallMs: () => number;
  logger: Logger;
}

/** Renews one runner token before it expires (gitlab-protocol section 1.2), or says in time that somebody must. */
export interface TokenRenewal {
  start(): void;
  /** A renewal that GitLab has been asked for is waited for: the answer is the only copy of the new token. */
  stop(): Promise<void>;
}

/** How often GitLab is asked when the token ends: an operator may set an end at any time. */
const LOOK_MS = 60 * 60_000;
const RETRY_MS = 60_000;
const MIN_PAUSE_MS = 1_000;
/** Of its life; gitlab-runner's share. */
const RENEW_AFTER = 0.75;

export function createTokenRenewal(deps: RenewalDeps): TokenRenewal {
  const { entry, client, file, clock, logger } = deps;
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let isRefused = false;

  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      const pauseMs = await look().catch((error: unknown) => {
        if (!stopping.signal.aborted)
          logger.warn(
            { entry, error: String(error) },
            'The end of the runner token could not be looked after; it is tried again',
          );
        return RETRY_MS;
      });
      // Spread, so that workers that share a token do not ask in step; not sooner, for GitLab tells its time to the second.
      const spreadMs = Math.max(MIN_PAUSE_MS, pauseMs) * (1 + clock.random() / 10);
      await clock.sleep(spreadMs, stopping.signal).catch(() => undefined);
    }
  }

  /** @returns how long until the next look */
  async function look(): Promise<number> {
    if (await file?.recover())
      logger.warn({ entry }, 'A renewed runner token, left by a worker that died, is in its place');
    const held = await file?.read();
    const told = await client.verify({ signal: stopping.signal });
    // The poller speaks of a GitLab that is away. A worker that died while it asked for another token has said nothing of that.
    if (told.kind === 'invalid') await tellIfLost(held?.token, told.reason);
    if (told.kind !== 'valid') return RETRY_MS;
    isRefused = false;
    const endMs = told.expiresAt === null ? Number.NaN : Date.parse(told.expiresAt);
    if (Number.isNaN(endMs)) return LOOK_MS;
    const nowMs = told.serverTimeMs ?? deps.wallMs();
    if (file === undefined || held === undefined) {
      if (endMs - nowMs < EXPIRY_WARNING_MS) logger.warn({ entry }, explainExpiry(endMs - nowMs));
      return Math.min(LOOK_MS, Math.max(RETRY_MS, endMs - EXPIRY_WARNING_MS - nowMs));
    }
    const dueMs = renewalDueMs(held.sinceMs, endMs);
    if (nowMs < dueMs) return Math.min(LOOK_MS, dueMs - nowMs);
    await renew(file, held.token, endMs - nowMs);
    return RETRY_MS;
  }

  async function renew(target: TokenFile, old: string, leftMs: number): Promise<void> {
    const replacement = await target.prepare().catch((error: unknown) => {
      logger.error(
        { entry, error: String(error), expiresInMs: Math.round(leftMs) },
        'The runner token is due, and its file cannot be replaced; GitLab is not asked for another, for it could not be kept',
      );
      return undefined;
    });
    if (replacement === undefined) return;
    // Told to stop meanwhile, or another worker was faster: nothing is asked for.
    if (stopping.signal.aborted || (await target.read()).token !== old) return await replacement.abandon();
    const outcome = await client.resetToken(old);
    if (outcome.kind === 'renewed') {
      await keep(replacement, outcome.token);
      logger.info({ entry, expiresAt: outcome.expiresAt }, 'The runner token is renewed, and in its file');
      return;
    }
    await replacement.abandon();
    await explainFailure(target, old, outcome.reason);
  }

  /** This process has the only copy: it tries for as long as it lives. */
  async function keep(replacement: Replacement, token: string): Promise<void> {
    for (;;) {
      try {
        return await replacement.commit(token);
      } catch (error) {
        logger.error(
          { entry, error: String(error) },
          'A renewed runner token cannot be written to its file; it is tried again',
        );
        await clock.sleep(MIN_PAUSE_MS);
      }
    }
  }

  /** No new token came. Either the old one still stands, or another worker has renewed it, or the answer with the new one is lost. */
  async function explainFailure(target: TokenFile, old: string, reason: string): Promise<void> {
    const told = await client.verify({ signal: stopping.signal });
    if (told.kind === 'invalid') {
      await tellIfLost(old, reason);
    } else if ((await target.read()).token === old)
      logger.warn({ entry, reason }, 'The runner token could not be renewed now; it is tried again');
  }

  /** No other token is in its place, nor will be: one of several workers may have the new one, and not have written it yet. */
  async function tellIfLost(refused: string | undefined, reason: string): Promise<void> {
    if (file === undefined || (await file.isBeingReplaced()) || (await file.read()).token !== refused) return;
    // Once, until it is another.
    if (!isRefused) logger.error({ entry, reason }, `GitLab refuses the runner token. ${LOST_TOKEN}`);
    isRefused = true;
  }

  return {
    start() {
      running = watch();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** The first quarter before its end. What is not known of its beginning only makes it later, never too late. */
export function renewalDueMs(sinceMs: number, endMs: number): number {
  return Math.min(sinceMs, endMs) + RENEW_AFTER * Math.max(0, endMs - sinceMs);
}
