import { Context } from '@temporalio/activity';
import type { Activities } from '../contracts/activities.js';
import type { ArtifactStatus } from '../contracts/ci-job.js';
import { createBackoff } from '../gitlab/backoff.js';
import type { JobApi } from '../gitlab/client.js';
import { systemClock } from '../gitlab/clock.js';
import type { UploadArtifactOutcome } from '../gitlab/outcomes.js';
import { MetricsDocument } from '../metrics/document.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import { errorLine, plainLine } from '../trace/format.js';
import { beating } from './beat.js';
import type { AttemptRef } from './flight-log.js';
import type { CoordinatorDeps } from './report-to-coordinator.js';

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
      const lines: string[] = deliveredBefore(info.heartbeatDetails);
      const ref = { workflowId: input.workflowId, activityId: info.activityId, attempt: info.attempt };
      return beating(
        deps.lifecycle,
        async (signal) => {
          const { job } = deps.coordinators.open(input.coordinator);
          for (const artifact of input.artifacts.slice(lines.length)) {
            const { ok, line } = await deliver(deps, job, ref, artifact, signal);
            if (!ok) return { ok: false, text: [...lines, line].join('') };
            lines.push(line);
          }
          return { ok: true, text: lines.join('') };
        },
        () => lines,
      );
    },
  };
}

/** What an earlier attempt of the activity has told of those that GitLab already has. */
function deliveredBefore(details: unknown): string[] {
  return Array.isArray(details) ? details.filter((line) => typeof line === 'string') : [];
}

async function deliver(
  deps: CoordinatorDeps,
  job: JobApi,
  ref: AttemptRef,
  artifact: ArtifactStatus,
  signal: AbortSignal,
): Promise<{ ok: boolean; line: string }> {
  const said = `Uploading artifacts as "${artifact.type}" to coordinator...`;
  const backoff = createBackoff({ ...RETRY, random: () => systemClock.random() });
  for (let rejections = 0; ;) {
    const outcome = await upload(deps.store, job, artifact, signal);
    switch (outcome.kind) {
      case 'stored':
        if (artifact.type === 'metrics_referee') await markUploaded(deps.store, ref.workflowId);
        return { ok: true, line: plainLine(`${said} 201 Created`) };
      case 'tooLarge':
        return { ok: false, line: errorLine(`${said} 413 too large for this project or instance`) };
      case 'refused':
        return { ok: false, line: errorLine(`${said} 403 the job is over at the coordinator`) };
      case 'missing':
        return { ok: false, line: errorLine(`${said} the spooled file is no longer in the store`) };
      case 'rejected':
        rejections += 1;
        if (rejections >= MAX_REJECTIONS) return { ok: false, line: errorLine(`${said} ${outcome.reason}`) };
        break;
      case 'unavailable':
        break;
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
  const content = await store.stream(artifact.key);
  if (bytes === undefined || content === undefined) return { kind: 'missing' };
  try {
    const { name, type, format, expireIn } = artifact;
    return await job.uploadArtifact(
      { name, type, format, bytes, content, ...(expireIn === undefined ? {} : { expireIn }) },
      signal,
    );
  } finally {
    // An exchange that broke off has not read it to its end.
    content.destroy();
  }
}

/** The document tells what became of it; `holdfast metrics` shows that. */
async function markUploaded(store: Store, workflowId: string): Promise<void> {
  const kept = await store.read(jobKeys.metrics(workflowId));
  if (kept === undefined) return;
  const document = MetricsDocument.parse(JSON.parse(kept.toString('utf8')));
  await store.write(jobKeys.metrics(workflowId), JSON.stringify({ ...document, delivery: 'uploaded' }));
}
