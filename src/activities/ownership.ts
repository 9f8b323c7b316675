import { Readable } from 'node:stream';
import { ApplicationFailure } from '@temporalio/common';
import type { JobApi } from '../gitlab/client.js';

/** Below the heartbeat timeout of `workflows/activity-stubs.ts` (8 s), after which the server gives the activity to another worker. */
export const LEASE_MS = 6_000;

/**
 * Whether an attempt of an activity may still act outside. A process that was paused (SIGSTOP, a suspended machine, a debugger)
 * wakes in the middle of its work and knows nothing of the successor that has gone on meanwhile; the server tells it with the
 * answer to a heartbeat, which is too late for what it does until then. Its own clock tells at once: who has not beaten in time
 * has lost the activity. So has one whose heartbeats do not arrive; what it does in its machine and in the store goes on, for that are
 * the same bytes whoever writes them, but it says nothing more outside.
 */
export interface Ownership {
  /** Aborts when the activity was lost. */
  readonly signal: AbortSignal;
  /** A heartbeat goes out now. */
  beat(): void;
  /** @throws ApplicationFailure `OVERSLEPT` or `CUT_OFF`, retryable: should nobody else have the activity, the server gives it out again */
  assertHeld(): void;
}

/**
 * @param now a clock that goes on while the process is paused, in milliseconds, and does not jump
 * @param cutOffSince whether heartbeats may have been lost since that time of the same clock
 */
export function createOwnership(
  now: () => number = () => performance.now(),
  cutOffSince: (atMs: number) => boolean = () => false,
): Ownership {
  const lost = new AbortController();
  const begunAtMs = now();
  let beatAtMs = begunAtMs;

  function assertHeld(): void {
    if (now() - beatAtMs > LEASE_MS) lost.abort(overslept());
    if (!lost.signal.aborted && cutOffSince(begunAtMs)) lost.abort(cutOff());
    lost.signal.throwIfAborted();
  }

  return {
    signal: lost.signal,
    assertHeld,
    beat() {
      if (now() - beatAtMs > LEASE_MS) lost.abort(overslept());
      else beatAtMs = now();
    },
  };
}

/** The coordinator does not fence two holders of a job's token, so each of them asks itself before it says anything. */
export function fencedJobApi(job: JobApi, { assertHeld }: Pick<Ownership, 'assertHeld'>): JobApi {
  return {
    async patchTrace(chunk, signal) {
      assertHeld();
      return await job.patchTrace(chunk, signal);
    },
    async updateJob(update, signal) {
      assertHeld();
      return await job.updateJob(update, signal);
    },
    async uploadArtifact(artifact, signal) {
      assertHeld();
      return await job.uploadArtifact(artifact, signal);
    },
    // It tells the coordinator nothing.
    downloadArtifact: (how, signal) => job.downloadArtifact(how, signal),
  };
}

/**
 * What passes through, and nothing more of it once the attempt was overtaken; not the end either, by which whoever writes it takes
 * it for whole.
 */
export function whileHeld(content: Readable, { assertHeld }: Pick<Ownership, 'assertHeld'>): Readable {
  async function* held(): AsyncGenerator<unknown, void, undefined> {
    for await (const chunk of content) {
      assertHeld();
      yield chunk;
    }
    assertHeld();
  }
  // It may break before anybody reads, who then hears of it.
  content.on('error', () => undefined);
  return Readable.from(held(), { objectMode: false });
}

function cutOff(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'CUT_OFF',
    message:
      'This worker did not reach Temporal for longer than its heartbeats may be late; another one may have gone on',
    nonRetryable: false,
    nextRetryDelay: '100ms',
    category: 'BENIGN',
  });
}

/** Another worker may have the activity by now. */
export function overslept(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'OVERSLEPT',
    message: 'This worker was paused for longer than its heartbeats may be late; another one may have gone on',
    nonRetryable: false,
    nextRetryDelay: '100ms',
    category: 'BENIGN',
  });
}
