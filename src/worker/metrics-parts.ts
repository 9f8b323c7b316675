import { readFileSync } from 'node:fs';
import type { MetricsDeps } from '../activities/collect-metrics.js';
import type { SharedDeps } from '../activities/deps.js';
import type { Config } from '../config/schema.js';
import { createUsageMetrics } from '../telemetry/usage-metrics.js';
import { createPrometheusClient, type PrometheusClient } from '../metrics/prometheus-client.js';
import { withQueryLimit } from '../metrics/limit.js';
import { chooseQueries } from '../metrics/queries.js';
import { toRules } from '../metrics/rules.js';

/** What collecting metrics needs, from the configuration. */
export function createMetricsParts(
  config: Config,
  shared: SharedDeps,
): { prometheus: PrometheusClient | undefined; metricsDeps: Omit<MetricsDeps, 'engines'> } {
  const prometheus = openPrometheus(config);
  return {
    prometheus,
    metricsDeps: {
      ...shared,
      prometheus,
      usage: createUsageMetrics(shared.metrics.registry, config.metrics.usageSeries),
      metricsSettings: {
        ...chooseQueries(config.metrics),
        rules: toRules(config.metrics.rules),
        usageRuns: config.metrics.usageRuns,
        stepMs: config.metrics.step,
        scrapeWaitMs: config.metrics.scrapeWait,
        aggregate: config.metrics.aggregate,
      },
    },
  };
}

export function openPrometheus(config: Config): PrometheusClient | undefined {
  const { prometheusUrl, headers, bearerTokenFile, basicAuth, ca, cert, key } = config.metrics;
  if (prometheusUrl === undefined) return undefined;
  const secret = (file: string) => readFileSync(file, 'utf8').trim();
  const authorization =
    bearerTokenFile !== undefined
      ? `Bearer ${secret(bearerTokenFile)}`
      : basicAuth === undefined
        ? undefined
        : `Basic ${Buffer.from(`${basicAuth.username}:${secret(basicAuth.passwordFile)}`).toString('base64')}`;
  const prometheus = createPrometheusClient({
    url: prometheusUrl,
    timeoutMs: config.metrics.timeout,
    headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
    ...(ca === undefined ? {} : { ca: secret(ca) }),
    ...(cert === undefined ? {} : { cert: secret(cert) }),
    ...(key === undefined ? {} : { key: secret(key) }),
  });
  return withQueryLimit(prometheus, config.metrics.maxQueries);
}
