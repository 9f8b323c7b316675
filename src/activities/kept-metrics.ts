import { gzipSync } from 'node:zlib';
import type { CollectMetricsInput, MetricsResult } from '../contracts/activities.js';
import { MetricsDocument, toReferee, WHOLE } from '../metrics/document.js';
import { incompleteKeys, jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import type { Ownership } from './ownership.js';

/** What the store keeps of a job's metrics. @returns undefined: nothing yet */
export async function readMetrics(store: Store, workflowId: string): Promise<MetricsDocument | undefined> {
  const kept = await store.read(jobKeys.metrics(workflowId));
  return kept === undefined ? undefined : MetricsDocument.parse(JSON.parse(kept.toString('utf8')));
}

/** Names of the rules that the job has met. */
export function flagsOf({ flags = [] }: MetricsDocument): string[] {
  return flags.map(({ name }) => name);
}

/** The last collection: what it found replaces what an early one did, unless it found nothing. */
export async function keepMetrics(
  store: Store,
  input: CollectMetricsInput,
  document: MetricsDocument,
): Promise<MetricsResult> {
  const result = await keepDocument(store, input, document);
  // Last: who is interrupted before leaves a mark too many, which the next replay takes away.
  if (document.complete === false) await store.write(incompleteKeys.job(input.workflowId), '');
  else await store.remove(incompleteKeys.job(input.workflowId));
  return result;
}

async function keepDocument(
  store: Store,
  input: CollectMetricsInput,
  document: MetricsDocument,
): Promise<MetricsResult> {
  const { workflowId, toCoordinator } = input;
  const kept = await readMetrics(store, workflowId);
  const before = kept?.machine === input.machine ? kept : undefined;
  if (document.outcome !== 'samples') {
    const reason = whyNothing(document);
    if (before?.delivery !== undefined)
      return {
        state: before.delivery,
        outcome: before.delivery,
        reason: `without the last scrape: ${reason}`,
        flags: [],
      };
    await store.write(jobKeys.metrics(workflowId), JSON.stringify(document));
    const outcome = document.outcome === 'refused' ? 'failed' : 'no_samples';
    return { state: 'failed', outcome, reason, flags: [] };
  }
  const delivery = toCoordinator ? (before?.delivery ?? 'stored') : 'uploaded';
  const uploadedUntilMs = before?.uploadedUntilMs;
  if (uploadedUntilMs === undefined) await keepReferee(store, workflowId, document);
  await write(store, workflowId, {
    ...document,
    delivery,
    ...(uploadedUntilMs === undefined ? {} : { uploadedUntilMs }),
  });
  return {
    state: delivery,
    outcome: delivery,
    reason: reasonOf(document, { toCoordinator, uploaded: delivery === 'uploaded' }),
    flags: flagsOf(document),
  };
}

/**
 * The early collection: nothing is kept of one that found nothing, since the last one is still to come. Should that never come, a
 * replay finds the job by its mark and knows what to ask for.
 */
export async function keepEarlyMetrics(
  store: Store,
  input: CollectMetricsInput,
  document: MetricsDocument,
  owner: Ownership,
): Promise<MetricsResult> {
  if (document.outcome !== 'samples')
    return { state: 'pending', outcome: 'no_samples', reason: whyNothing(document), flags: [] };
  owner.assertHeld();
  const { workflowId, attempt } = input;
  const [referee] = await Promise.all([
    keepReferee(store, workflowId, document),
    write(store, workflowId, { ...document, complete: false, delivery: 'stored' }),
    store.write(jobKeys.metricsRequest(workflowId), JSON.stringify({ ...input, early: undefined })),
    store.write(incompleteKeys.job(workflowId), ''),
  ]);
  // After all others: where it is, they are, too. Really gzipped, unlike the reference's.
  const { bytes } = await store.write(jobKeys.metricsRefereeGzip(workflowId, attempt), gzipSync(referee));
  return toBeSent(workflowId, attempt, bytes);
}

/**
 * An earlier delivery of the same collection has spooled the artifact: it may have been sent, so there must be no other one. GitLab
 * compares the SHA-256 of what is sent twice.
 */
export async function findEarlyMetrics(
  store: Store,
  { workflowId, attempt }: CollectMetricsInput,
): Promise<MetricsResult | undefined> {
  const bytes = await store.size(jobKeys.metricsRefereeGzip(workflowId, attempt));
  return bytes === undefined ? undefined : toBeSent(workflowId, attempt, bytes);
}

/** GitLab has the artifact: the document tells it; `holdfast metrics` shows that. */
export async function markUploaded(store: Store, workflowId: string): Promise<void> {
  const document = await readMetrics(store, workflowId);
  if (document === undefined) return;
  await write(store, workflowId, { ...document, delivery: 'uploaded', uploadedUntilMs: document.window.endMs });
}

function toBeSent(workflowId: string, attempt: number, bytes: number): MetricsResult {
  return {
    state: 'stored',
    outcome: 'stored',
    reason: 'the last scrape is still to come',
    flags: [],
    artifact: {
      name: 'metrics_referee.json',
      type: 'metrics_referee',
      format: 'gzip',
      bytes,
      files: 1,
      key: jobKeys.metricsRefereeGzip(workflowId, attempt),
    },
  };
}

async function keepReferee(store: Store, workflowId: string, document: MetricsDocument): Promise<Buffer> {
  const referee = Buffer.from(JSON.stringify(toReferee(document)));
  await store.write(jobKeys.metricsReferee(workflowId), referee);
  return referee;
}

async function write(store: Store, workflowId: string, document: MetricsDocument): Promise<void> {
  await store.write(jobKeys.metrics(workflowId), JSON.stringify(document));
}

function whyNothing({ outcome, machine, skipped }: MetricsDocument): string {
  if (outcome === 'no_samples') return `Prometheus has no samples of machine ${machine}`;
  return `Prometheus refused every query: ${skipped.map(({ query, reason }) => `${query}: ${reason}`).join('; ')}`;
}

function reasonOf(document: MetricsDocument, to: { toCoordinator: boolean; uploaded: boolean }): string {
  if (!to.toCoordinator) return whatIsThere(document);
  const rest = document.complete === false ? missing(document) : 'the store has that after it, too';
  return to.uploaded
    ? `sent with the job, up to the last scrape before its end; ${rest}`
    : 'not sent before the final status, after which the coordinator takes no artifacts; kept in the store';
}

/** For a replay to bring. */
function missing({ skipped, missing: known = [] }: MetricsDocument): string {
  const what = [
    ...(known.includes('last_scrape') ? ['the scrape that covers its end'] : []),
    ...(known.includes('answers') ? skipped.map(({ query }) => query) : []),
  ];
  return `still missing: ${what.length === 0 ? 'an answer of Prometheus' : what.join(', ')} (a replay may bring it)`;
}

function whatIsThere(document: MetricsDocument): string {
  const { series, skipped, coverage, complete } = document;
  const parts = [`${String(series.length)} series`];
  if (complete === false) parts.push(missing(document));
  else if (skipped.length > 0) parts.push(`skipped: ${skipped.map(({ query }) => query).join(', ')}`);
  if (coverage !== undefined && coverage < WHOLE)
    parts.push(
      `samples for ${String(Math.round(coverage * 100))} % of the time: the worker or Prometheus was away, or is behind`,
    );
  return parts.join('; ');
}
