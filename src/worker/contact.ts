import { connect } from 'node:net';
import { isGrpcServiceError } from '@temporalio/client';
import { LEASE_MS } from '../activities/ownership.js';

const LOOK_MS = 1_000;
/** Between two questions: as often as activities beat. */
const ASK_MS = 2_000;
/** For an answer. One question may stay without, and the next still comes in time. */
export const ANSWER_MS = 2_500;
/** For a connection to be refused. */
const REFUSAL_MS = 1_500;

/**
 * Whether heartbeats reach Temporal. The SDK does not say, and a connection that has died without a word (a firewall that forgot it, a
 * cable) takes all that is written to it for 45 s, while Temporal gives the activities to other workers. A Temporal that refuses
 * connections is away, for everybody: it gives nothing to anybody.
 */
export interface Contact {
  /** Since then Temporal may have given an activity of this worker away without a word. */
  brokenSince(atMs: number): boolean;
  stop(): void;
}

/** Two ways to ask. */
export interface Questions {
  /** By the connection that carries the heartbeats. */
  ask: () => Promise<unknown>;
  /** Whether a new connection is refused. */
  refuses: () => Promise<boolean>;
}

/** @param now a clock that does not jump, in milliseconds */
export function startContact({ ask, refuses }: Questions, now: () => number = () => performance.now()): Contact {
  let answeredMs = now();
  let awayMs = -Infinity;
  let brokenUntilMs = -Infinity;
  let askedMs = now();
  let asking = false;

  async function askOnce(): Promise<void> {
    asking = true;
    askedMs = now();
    if (await isAnswered(ask)) {
      // Nobody knows what Temporal has done in the meantime.
      if (askedMs - answeredMs > LEASE_MS) brokenUntilMs = askedMs;
      answeredMs = askedMs;
    }
    asking = false;
  }

  async function look(): Promise<void> {
    const atMs = now();
    if (atMs - askedMs < ASK_MS) return;
    if (!asking) await askOnce();
    else if (await refuses()) awayMs = atMs;
  }

  const timer = setInterval(() => void look(), LOOK_MS);
  timer.unref();
  return {
    // What begins is given out by Temporal, which is an answer, too.
    brokenSince: (atMs) => brokenUntilMs > atMs || now() - Math.max(answeredMs, awayMs, atMs) > LEASE_MS,
    stop: () => clearInterval(timer),
  };
}

// gRPC status codes: canceled on this side, not in time, away.
const NOT_ANSWERED = new Set([1, 4, 14]);

async function isAnswered(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch (error) {
    // A refusal of what was asked is an answer.
    return isGrpcServiceError(error) && !NOT_ANSWERED.has(error.code);
  }
}

/** @returns false also where there is no answer at all */
export async function refusesConnections(address: { host: string; port: number }): Promise<boolean> {
  const socket = connect({ ...address, timeout: REFUSAL_MS });
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(false));
      socket.once('timeout', () => resolve(false));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
    });
  } finally {
    socket.destroy();
  }
}
