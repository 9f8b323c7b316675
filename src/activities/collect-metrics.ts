import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities, CollectMetricsInput, MachineLabel, MetricsResult } from '../contracts/activities.js';
import type { ReplayedMetrics, ReplayMetricsInput, ReplayMetricsResult } from '../contracts/ci-job.js';
import type { Engine } from '../machines/engine.js';
import { systemClock } from '../metrics/clock.js';
import { collectMetrics, type CollectRequest } from '../metrics/collect.js';
import type { MetricsDocument } from '../metrics/document.js';
import { PrometheusError, type PrometheusClient } from '../metrics/prometheus-client.js';
import type { QuerySet } from '../metrics/queries.js';
import type { FlagRule } from '../metrics/rules.js';
import { summarizeRun } from '../metrics/run-summary.js';
import { formatSpan } from '../metrics/units.js';
import { keepRun, readUsage } from '../metrics/usage-log.js';
import type { Aggregate } from '../metrics/values.js';
import { incompleteKeys, jobKeys } from '../store/keys.js';
import type { UsageMetrics } from '../telemetry/usage-metrics.js';
import { beating } from './beat.js';
import type { SharedDeps } from './deps.js';
import { findEarlyMetrics, flagsOf, keepEarlyMetrics, keepMetrics, readMetrics } from './kept-metrics.js';
import type { Ownership } from './ownership.js';
import { timeLimit } from './time-limit.js';

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

/** So often everything is tried again when one query gets no answer; after that the others are kept without it. */
const WHOLE_ATTEMPTS = 3;
/** The same of what is sent with the job, within `metrics.grace`. */
const WHOLE_EARLY_ATTEMPTS = 1;
/** Between attempts of it: some within a grace of two seconds. */
const FIRST_DELAY_MS = 250;
const MOST_DELAY_MS = 60_000;

/** @returns activities `collectMetrics` and `replayJobMetrics` */
export function createMetricsActivities(deps: MetricsDeps): Pick<Activities, 'collectMetrics' | 'replayJobMetrics'> {
  return {
    collectMetrics: (input) =>
      beating(deps.lifecycle, async (signal, owner) => {
        if (input.early === true) return await collectEarly(deps, input, signal, owner);
        // For the replay, should this collection never succeed.
        await deps.store.write(jobKeys.metricsRequest(input.workflowId), JSON.stringify(input));
        const partial = Context.current().info.attempt > WHOLE_ATTEMPTS;
        return (await collectAndKeep(deps, input, signal, { partial })).result;
      }),
    replayJobMetrics: (input) => beating(deps.lifecycle, (signal) => replay(deps, input, signal)),
  };
}

/** Somebody waits for it. What counts jobs (usage, flags, outcomes) is left to the collection that follows. */
async function collectEarly(
  deps: MetricsDeps,
  input: CollectMetricsInput,
  signal: AbortSignal,
  owner: Ownership,
): Promise<MetricsResult> {
  if (deps.prometheus === undefined) throw unconfigured();
  const known = await findEarlyMetrics(deps.store, input);
  if (known !== undefined) return known;
  const document = await collectInTime(deps.prometheus, deps, input, signal);
  if (document === undefined)
    return { state: 'pending', outcome: 'no_samples', reason: 'not answered in time', flags: [], late: true };
  return await keepEarlyMetrics(deps.store, input, document, owner);
}

/**
 * Tried again in here until its time is over, since Temporal's own attempts do not end with that.
 * @returns undefined when it is over
 */
async function collectInTime(
  prometheus: PrometheusClient,
  deps: MetricsDeps,
  input: CollectMetricsInput,
  untilCancelled: AbortSignal,
): Promise<MetricsDocument | undefined> {
  const over = timeLimit(input.untilMs);
  const signal = AbortSignal.any([untilCancelled, over]);
  const before = Context.current().info.attempt - 1;
  for (let attempt = 1, delayMs = FIRST_DELAY_MS; ; attempt++, delayMs = Math.min(2 * delayMs, MOST_DELAY_MS)) {
    try {
      const partial = before + attempt > WHOLE_EARLY_ATTEMPTS;
      return await collect(prometheus, { ...requestOf(deps, input), partial }, deps, signal);
    } catch (error) {
      const isWorthTrying = error instanceof ApplicationFailure && error.nonRetryable !== true;
      if (!over.aborted && (input.untilMs === undefined || !isWorthTrying)) throw error;
    }
    untilCancelled.throwIfAborted();
    if (!over.aborted) await systemClock.sleep(delayMs, signal).catch(() => undefined);
    untilCancelled.throwIfAborted();
    if (over.aborted) return undefined;
  }
}

async function collectAndKeep(
  deps: MetricsDeps,
  input: CollectMetricsInput,
  signal: AbortSignal,
  how: Pick<CollectRequest, 'partial' | 'hurried'>,
): Promise<{ result: MetricsResult; document: MetricsDocument }> {
  if (deps.prometheus === undefined) throw unconfigured();
  const document = await collect(deps.prometheus, { ...requestOf(deps, input), ...how }, deps, signal);
  const result = await keepMetrics(deps.store, input, document);
  await keepUsage(deps, document);
  tellFlags(deps, input, document);
  deps.metrics.metricsCollections.inc({ outcome: result.outcome });
  return { result, document };
}

/** Numbers for right-sizing; an out-of-memory kill counts also when nothing was measured. */
async function keepUsage(
  { store, usage, metrics, metricsSettings }: MetricsDeps,
  document: MetricsDocument,
): Promise<void> {
  const run = summarizeRun(document);
  await keepRun(store, run, metricsSettings.usageRuns);
  const [latest] =
    usage.mostNames === 0 ? [] : await readUsage(store, { project: document.project, name: document.name });
  if (latest !== undefined) usage.record(latest);
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

function requestOf(deps: MetricsDeps, input: CollectMetricsInput): CollectRequest {
  return {
    job: input.workflowId,
    name: input.name,
    project: input.project,
    machine: input.machine,
    engine: input.engine,
    selector: selectorOf(deps, input),
    window: input.window,
    stages: input.stages,
    limits: input.limits,
    oomKills: input.oomKills,
    early: input.early === true,
    ...deps.metricsSettings,
  };
}

/** An older request does not say; another worker may have the engine, and the label's shape is then the default one. */
function selectorOf({ engines }: MetricsDeps, { label, engine, machine }: CollectMetricsInput): MachineLabel {
  return label ?? engines.get(engine)?.metricsLabel(machine) ?? { name: 'machine', value: machine };
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
  const known = await readMetrics(deps.store, job);
  if (known?.delivery !== undefined && known.complete !== false) {
    await deps.store.remove(incompleteKeys.job(job));
    return await told(deps, job, { outcome: known.delivery, reason: 'was collected before', flags: flagsOf(known) });
  }
  const saved = await deps.store.read(jobKeys.metricsRequest(job));
  if (saved === undefined) {
    const reason = "nothing is known of the job's machine: it never had one, or the store is another one";
    return { job, outcome: 'failed', reason, flags: [] };
  }
  // Written by `collectMetrics` above.
  const request = JSON.parse(saved.toString('utf8')) as CollectMetricsInput;
  try {
    // A person waits: what is answered now is better than nothing, and the next replay goes on.
    const how = { partial: true, hurried: true };
    const { result, document } = await collectAndKeep(deps, request, signal, how);
    const { outcome, reason, flags } = result;
    if (document.complete === false) return { job, outcome, reason, flags };
    if (outcome === 'no_samples') return { job, outcome, reason: await whyGone(deps, request, signal), flags };
    return outcome === 'failed' ? { job, outcome, reason, flags } : await told(deps, job, { outcome, reason, flags });
  } catch (error) {
    signal.throwIfAborted();
    return { job, outcome: 'failed', reason: error instanceof Error ? error.message : String(error), flags: [] };
  }
}

/** The job's workflow is closed and cannot be told any more, so that it stands beside it (`client/replayed.ts`). */
async function told({ store }: MetricsDeps, job: string, replayed: ReplayedMetrics): Promise<ReplayMetricsResult> {
  await store.write(jobKeys.metricsReplayed(job), JSON.stringify(replayed));
  return { job, ...replayed };
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
