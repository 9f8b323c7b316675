import { Context } from '@temporalio/activity';
import type { Activities, DeliverResult } from '../contracts/activities.js';
import type { ArtifactStatus } from '../contracts/ci-job.js';
import { createBackoff } from '../gitlab/backoff.js';
import type { JobApi } from '../gitlab/client.js';
import { systemClock } from '../gitlab/clock.js';
import type { UploadArtifactOutcome } from '../gitlab/outcomes.js';
import type { Store } from '../store/store.js';
import { errorLine, plainLine } from '../trace/format.js';
import { beating } from './beat.js';
import type { AttemptRef } from './flight-log.js';
import { markUploaded } from './kept-metrics.js';
import { fencedJobApi } from './ownership.js';
import type { CoordinatorDeps } from './report-to-coordinator.js';
import { startStopwatch, type Stopwatch } from './stopwatch.js';
import { timeLimit } from './time-limit.js';

/** GitLab answers 400 also to troubles of its own; so many tries are the reference's. */
const MAX_REJECTIONS = 3;
const RETRY = { firstMs: 1_000, maxMs: 10_000 };

/**
 * @returns activity `deliverArtifacts`. The files were spooled once and are sent byte for byte, so a repeated delivery is
 *   answered as the first was: GitLab compares the SHA-256.
 */
export function createDeliverArtifacts(deps: CoordinatorDeps): Pick<Activities, 'deliverArtifacts'> {
  return {
    deliverArtifacts: (input) => {
      const { info } = Context.current();
      const progress = progressOf(info.heartbeatDetails);
      const { lines } = progress;
      // A clock that is set meanwhile is no silence of GitLab's.
      const clock = startStopwatch(progress.heardAtMs);
      const ref = { workflowId: input.workflowId, activityId: info.activityId, attempt: info.attempt };
      return beating(
        deps.lifecycle,
        async (untilCancelled, owner) => {
          const { limitMs, untilMs } = input;
          const over = limitMs === undefined ? timeLimit(untilMs) : AbortSignal.timeout(limitMs);
          const signal = AbortSignal.any([untilCancelled, over]);
          const { job: unfenced, silenceLimitMs } = deps.coordinators.open(input.coordinator);
          const job = fencedJobApi(unfenced, owner);
          for (const artifact of input.artifacts.slice(lines.length)) {
            const sent = await deliver(deps, { job, silenceLimitMs, ref, progress, clock, signal }, artifact).catch(
              (error: unknown) => {
                if (!over.aborted) throw error;
                return {
                  ok: false,
                  late: true as const,
                  line: plainLine(`Uploading "${artifact.type}": not taken in time`),
                };
              },
            );
            const { line, ...verdict } = sent;
            if (!verdict.ok) return { ...verdict, text: [...lines, line].join('') };
            lines.push(line);
          }
          return { ok: true, text: lines.join('') };
        },
        () => progress,
      );
    },
  };
}

interface Progress {
  /** What is to be told of those that GitLab already has. */
  lines: string[];
  /** When GitLab answered last (Unix time). */
  heardAtMs: number;
}

/** What an earlier attempt of the activity came to. */
function progressOf(details: unknown): Progress {
  if (typeof details === 'object' && details !== null && 'lines' in details && 'heardAtMs' in details) {
    const { lines, heardAtMs } = details;
    if (Array.isArray(lines) && typeof heardAtMs === 'number') {
      return { lines: lines.filter((line) => typeof line === 'string'), heardAtMs };
    }
  }
  return { lines: [], heardAtMs: Date.now() };
}

interface Delivery {
  job: JobApi;
  silenceLimitMs: number;
  ref: AttemptRef;
  progress: Progress;
  clock: Stopwatch;
  signal: AbortSignal;
}

async function deliver(
  deps: CoordinatorDeps,
  { job, silenceLimitMs, ref, progress, clock, signal }: Delivery,
  artifact: ArtifactStatus,
): Promise<Pick<DeliverResult, 'ok' | 'gaveUp' | 'ended'> & { line: string }> {
  const said = `Uploading artifacts as "${artifact.type}" to coordinator...`;
  const backoff = createBackoff({ ...RETRY, random: () => systemClock.random() });
  for (let rejections = 0; ;) {
    const outcome = await upload(deps.store, job, artifact, signal);
    if (outcome.kind !== 'unavailable' || outcome.answered) progress.heardAtMs = clock.nowMs();
    switch (outcome.kind) {
      case 'stored':
        if (artifact.type === 'metrics_referee') await markUploaded(deps.store, ref.workflowId);
        return { ok: true, line: plainLine(`${said} 201 Created`) };
      case 'tooLarge':
        return { ok: false, line: errorLine(`${said} 413 too large for this project or instance`) };
      case 'refused':
        return {
          ok: false,
          line: errorLine(`${said} 403 the job is over at the coordinator`),
          ended: { as: outcome.jobStatus },
        };
      case 'missing':
        return { ok: false, line: errorLine(`${said} the spooled file is no longer in the store`) };
      case 'rejected':
        rejections += 1;
        if (rejections >= MAX_REJECTIONS) return { ok: false, line: errorLine(`${said} ${outcome.reason}`) };
        break;
      case 'unavailable': {
        const silentMs = clock.nowMs() - progress.heardAtMs;
        if (silentMs <= silenceLimitMs) break;
        const gaveUp = `no answer for ${String(Math.round(silentMs / 60_000))} min, longer than it keeps a job open (${outcome.reason})`;
        return { ok: false, line: errorLine(`${said} ${gaveUp}`), gaveUp };
      }
    }
    const wishMs = outcome.kind === 'unavailable' ? outcome.retryAfterMs : undefined;
    const delayMs = backoff.next(wishMs);
    deps.flight.trouble(ref, 'COORDINATOR_AWAY', outcome.reason);
    deps.logger.warn(
      { workflowId: ref.workflowId, type: artifact.type, reason: outcome.reason, retryInMs: Math.round(delayMs) },
      'GitLab did not take an artifact; it is repeated',
    );
    await systemClock.sleep(delayMs, signal);
  }
}

async function upload(
  store: Store,
  job: JobApi,
  artifact: ArtifactStatus,
  signal: AbortSignal,
): Promise<UploadArtifactOutcome | { kind: 'missing' }> {
  const bytes = await store.size(artifact.key);
  if (bytes === undefined) return { kind: 'missing' };
  const { key, name, type, format, expireIn } = artifact;
  try {
    return await job.uploadArtifact(
      {
        name,
        type,
        format,
        bytes,
        content: async () => {
          const content = await store.stream(key);
          if (content === undefined) throw new SpooledFileGoneError();
          return content;
        },
        ...(expireIn === undefined ? {} : { expireIn }),
      },
      signal,
    );
  } catch (error) {
    if (error instanceof SpooledFileGoneError) return { kind: 'missing' };
    throw error;
  }
}

class SpooledFileGoneError extends Error {}
