import { gzipSync } from 'node:zlib';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities, CollectMetricsInput, MetricsResult } from '../contracts/activities.js';
import type { ArtifactStatus, ReplayMetricsInput, ReplayMetricsResult } from '../contracts/ci-job.js';
import type { Engine } from '../machines/engine.js';
import { collectMetrics, type CollectRequest } from '../metrics/collect.js';
import { MetricsDocument, toReferee, WHOLE } from '../metrics/document.js';
import { PrometheusError, type PrometheusClient } from '../metrics/prometheus-client.js';
import type { QuerySet } from '../metrics/queries.js';
import type { FlagRule } from '../metrics/rules.js';
import { summarizeRun } from '../metrics/run-summary.js';
import { formatSpan } from '../metrics/units.js';
import { keepRun } from '../metrics/usage-log.js';
import type { Aggregate } from '../metrics/values.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import type { UsageMetrics } from '../telemetry/usage-metrics.js';
import { beating } from './beat.js';
import type { SharedDeps } from './deps.js';

export interface MetricsDeps extends SharedDeps {
  prometheus: PrometheusClient | undefined;
  engines: ReadonlyMap<string, Engine>;
  usage: UsageMetrics;
  metricsSettings: QuerySet & {
    stepMs: number;
    scrapeWaitMs: number;
    aggregate: Aggregate;
    rules: readonly FlagRule[];
    usageRuns: number;
  };
}

/** @returns activities `collectMetrics` and `replayJobMetrics` */
export function createMetricsActivities(deps: MetricsDeps): Pick<Activities, 'collectMetrics' | 'replayJobMetrics'> {
  return {
    collectMetrics: (input) =>
      beating(deps.lifecycle, async (signal) => {
        // For the replay, should this collection never succeed.
        await deps.store.write(jobKeys.metricsRequest(input.workflowId), JSON.stringify(input));
        return await collectAndKeep(deps, input, signal);
      }),
    replayJobMetrics: (input) => beating(deps.lifecycle, (signal) => replay(deps, input, signal)),
  };
}

async function collectAndKeep(
  deps: MetricsDeps,
  input: CollectMetricsInput,
  signal: AbortSignal,
): Promise<MetricsResult> {
  if (deps.prometheus === undefined) throw unconfigured();
  const document = await collect(deps.prometheus, requestOf(deps, input), deps, signal);
  const result = await keep(deps, input, document);
  await keepUsage(deps, document);
  tellFlags(deps, input, document);
  deps.metrics.metricsCollections.inc({ outcome: result.outcome });
  return result;
}

async function keep(
  { store }: MetricsDeps,
  input: CollectMetricsInput,
  document: MetricsDocument,
): Promise<MetricsResult> {
  const { workflowId, toCoordinator } = input;
  const referee = Buffer.from(JSON.stringify(toReferee(document)));
  await store.write(jobKeys.metricsReferee(workflowId), referee);
  if (document.outcome !== 'samples') {
    await store.write(jobKeys.metrics(workflowId), JSON.stringify(document));
    const outcome = document.outcome === 'refused' ? 'failed' : 'no_samples';
    return { state: 'failed', outcome, reason: whyNothing(document), flags: [] };
  }
  const delivery = toCoordinator ? 'stored' : 'uploaded';
  await store.write(jobKeys.metrics(workflowId), JSON.stringify({ ...document, delivery }));
  return {
    state: delivery,
    outcome: delivery,
    reason: toCoordinator
      ? 'collected too late for the coordinator, which takes no more artifacts for this job; kept in the store'
      : whatIsThere(document),
    flags: (document.flags ?? []).map(({ name }) => name),
    ...(toCoordinator ? { artifact: await keepArtifact(store, workflowId, referee) } : {}),
  };
}

function whyNothing({ outcome, machine, skipped }: MetricsDocument): string {
  if (outcome === 'no_samples') return `Prometheus has no samples of machine ${machine}`;
  return `Prometheus refused every query: ${skipped.map(({ query, reason }) => `${query}: ${reason}`).join('; ')}`;
}

function whatIsThere({ series, skipped, coverage }: MetricsDocument): string {
  const parts = [`${String(series.length)} series`];
  if (skipped.length > 0) parts.push(`skipped: ${skipped.map(({ query }) => query).join(', ')}`);
  if (coverage !== undefined && coverage < WHOLE)
    parts.push(`samples for ${String(Math.round(coverage * 100))} % of the time: Prometheus was away or is behind`);
  return parts.join('; ');
}

/** Numbers for right-sizing; an out-of-memory kill counts also when nothing was measured. */
async function keepUsage(
  { store, usage, metrics, metricsSettings }: MetricsDeps,
  document: MetricsDocument,
): Promise<void> {
  const run = summarizeRun(document);
  await keepRun(store, run, metricsSettings.usageRuns);
  usage.record(run);
  metrics.oomKills.inc(run.oomKills);
}

/** A line for a person; what follows from it is theirs to decide. */
function tellFlags(
  { logger, metrics }: MetricsDeps,
  { workflowId, project, name }: CollectMetricsInput,
  document: MetricsDocument,
): void {
  for (const { name: flag, value, threshold } of document.flags ?? []) {
    metrics.flaggedJobs.inc({ flag });
    logger.warn({ job: workflowId, project, name, flag, value, threshold }, 'A job has met a rule of metrics.rules');
  }
}

/** Really gzipped, unlike the reference's, and with no time in it: the same points give the same bytes. */
async function keepArtifact(store: Store, workflowId: string, referee: Buffer): Promise<ArtifactStatus> {
  const key = jobKeys.metricsRefereeGzip(workflowId);
  const { bytes } = await store.write(key, gzipSync(referee));
  return { name: 'metrics_referee.json', type: 'metrics_referee', format: 'gzip', bytes, files: 1, key };
}

function requestOf(deps: MetricsDeps, input: CollectMetricsInput): CollectRequest {
  const engine = deps.engines.get(input.engine);
  return {
    job: input.workflowId,
    name: input.name,
    project: input.project,
    machine: input.machine,
    engine: input.engine,
    // Another worker may have the engine; the label's shape is then the default one.
    selector: engine?.metricsLabel(input.machine) ?? { name: 'machine', value: input.machine },
    window: input.window,
    stages: input.stages,
    limits: input.limits,
    oomKills: input.oomKills,
    ...deps.metricsSettings,
  };
}

async function collect(
  prometheus: PrometheusClient,
  request: CollectRequest,
  deps: MetricsDeps,
  signal: AbortSignal,
): Promise<MetricsDocument> {
  try {
    return await collectMetrics(prometheus, request, signal);
  } catch (error) {
    if (!(error instanceof PrometheusError)) throw error;
    deps.metrics.metricsCollections.inc({ outcome: 'retried' });
    // The operator reads this in the Temporal UI; it names a server of theirs and nothing of the job.
    throw ApplicationFailure.create({
      type: error.code,
      message: error.message,
      nonRetryable: !error.retryable,
      cause: error,
    });
  }
}

async function replay(deps: MetricsDeps, input: ReplayMetricsInput, signal: AbortSignal): Promise<ReplayMetricsResult> {
  const { job } = input;
  const kept = await deps.store.read(jobKeys.metrics(job));
  const known = kept === undefined ? undefined : MetricsDocument.parse(JSON.parse(kept.toString('utf8')));
  if (known?.delivery !== undefined) return await told(deps, job, known.delivery, 'was collected before');
  const saved = await deps.store.read(jobKeys.metricsRequest(job));
  if (saved === undefined) {
    const reason = "nothing is known of the job's machine: it never had one, or the store is another one";
    return { job, outcome: 'failed', reason };
  }
  // Written by `collectMetrics` above.
  const request = JSON.parse(saved.toString('utf8')) as CollectMetricsInput;
  try {
    const { outcome, reason } = await collectAndKeep(deps, request, signal);
    if (outcome === 'no_samples') return { job, outcome, reason: await whyGone(deps, request, signal) };
    return outcome === 'failed' ? { job, outcome, reason } : await told(deps, job, outcome, reason);
  } catch (error) {
    signal.throwIfAborted();
    return { job, outcome: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

/** The job's workflow is closed and cannot be told any more, so that it stands beside it (`client/replayed.ts`). */
async function told(
  { store }: MetricsDeps,
  job: string,
  outcome: 'uploaded' | 'stored',
  reason: string,
): Promise<ReplayMetricsResult> {
  await store.write(jobKeys.metricsReplayed(job), JSON.stringify({ outcome, reason }));
  return { job, outcome, reason };
}

async function whyGone(
  { prometheus }: MetricsDeps,
  request: CollectMetricsInput,
  signal: AbortSignal,
): Promise<string> {
  const agoMs = Date.now() - request.window.endMs;
  const keepsMs = await prometheus?.retention(signal).catch(() => undefined);
  const reason = `Prometheus has no samples of machine ${request.machine}`;
  if (keepsMs === undefined) return reason;
  const kept = `it keeps ${formatSpan(keepsMs)}`;
  return agoMs > keepsMs
    ? `no samples left: ${kept}, and the job ended ${formatSpan(agoMs)} ago`
    : `${reason} (${kept})`;
}

function unconfigured(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'METRICS_NOT_CONFIGURED',
    message: 'This worker has no metrics.prometheusUrl',
    nonRetryable: true,
  });
}
