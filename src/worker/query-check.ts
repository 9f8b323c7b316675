import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError } from '../config/load.js';
import { checkQueries } from '../metrics/check-queries.js';
import { PrometheusError } from '../metrics/errors.js';
import type { PrometheusClient } from '../metrics/prometheus-client.js';
import type { MetricQueries } from '../metrics/queries.js';
import type { FlagRule } from '../metrics/rules.js';
import type { Logger } from '../telemetry/logger.js';

/** A start does not wait longer for Prometheus than this: jobs do not need it. */
const PATIENCE_MS = 3_000;
const AGAIN_MS = 60_000;

export interface QueryCheck {
  stop(): void;
}

/**
 * Has Prometheus parse the configured queries before the first job needs them. One that cannot be asked does not stop the worker:
 * the check is made when it answers, and its result is logged.
 * @throws ConfigError naming every query that is wrong
 */
export async function startQueryCheck(
  prometheus: PrometheusClient | undefined,
  asked: { queries: MetricQueries; rules: readonly FlagRule[]; stepMs: number },
  logger: Logger,
): Promise<QueryCheck> {
  const stopping = new AbortController();
  const check: QueryCheck = { stop: () => stopping.abort() };
  if (prometheus === undefined) return check;
  try {
    await checkQueries(prometheus, asked, AbortSignal.timeout(PATIENCE_MS));
  } catch (error) {
    if (isRefusal(error)) {
      await prometheus.close();
      throw new ConfigError(error.message, { cause: error });
    }
    logger.warn({ error: String(error) }, 'Prometheus cannot be asked about metrics.queries; it is asked again later');
    void checkLater(prometheus, asked, logger, stopping.signal);
  }
  return check;
}

async function checkLater(
  prometheus: PrometheusClient,
  asked: Parameters<typeof checkQueries>[1],
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await delay(AGAIN_MS, undefined, { signal });
      await checkQueries(prometheus, asked, signal);
      logger.info({}, 'Prometheus accepts metrics.queries');
      return;
    } catch (error) {
      if (!isRefusal(error)) continue;
      logger.error({ error: error.message }, 'Prometheus refuses queries of the configuration: jobs go without them');
      return;
    }
  }
}

function isRefusal(error: unknown): error is PrometheusError {
  return error instanceof PrometheusError && !error.retryable;
}
