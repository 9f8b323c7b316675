import { readFileSync } from 'node:fs';
import type { MetricsDeps } from '../activities/collect-metrics.js';
import type { SharedDeps } from '../activities/deps.js';
import type { Config } from '../config/schema.js';
import type { Engine } from '../machines/engine.js';
import { createPrometheusClient, type PrometheusClient } from '../metrics/prometheus-client.js';
import { HOLDFAST_QUERIES } from '../metrics/queries.js';

/** What collecting metrics needs, from the configuration. */
export function createMetricsParts(
  config: Config,
  shared: SharedDeps,
  engines: ReadonlyMap<string, Engine>,
): { prometheus: PrometheusClient | undefined; metricsDeps: MetricsDeps } {
  const prometheus = openPrometheus(config);
  return {
    prometheus,
    metricsDeps: {
      ...shared,
      prometheus,
      engines,
      metricsSettings: {
        queries: config.metrics.queries ?? HOLDFAST_QUERIES,
        stepMs: config.metrics.step,
        scrapeWaitMs: config.metrics.scrapeWait,
        aggregate: config.metrics.aggregate,
      },
    },
  };
}

export function openPrometheus(config: Config): PrometheusClient | undefined {
  const { prometheusUrl, headers, bearerTokenFile, basicAuth, ca } = config.metrics;
  if (prometheusUrl === undefined) return undefined;
  const secret = (file: string) => readFileSync(file, 'utf8').trim();
  const authorization =
    bearerTokenFile !== undefined
      ? `Bearer ${secret(bearerTokenFile)}`
      : basicAuth === undefined
        ? undefined
        : `Basic ${Buffer.from(`${basicAuth.username}:${secret(basicAuth.passwordFile)}`).toString('base64')}`;
  return createPrometheusClient({
    url: prometheusUrl,
    headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
    ...(ca === undefined ? {} : { ca: secret(ca) }),
  });
}
