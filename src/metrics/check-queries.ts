import { PrometheusError } from './errors.js';
import type { PrometheusClient } from './prometheus-client.js';
import { fillQuery, type MetricQueries } from './queries.js';
import { fillRule, type FlagRule } from './rules.js';

/** A machine that there is not: only the words of a query are looked at. */
const SELECTOR = { name: 'machine', value: 'holdfast-check' };

export interface RefusedQuery {
  /** Where in the configuration, e.g. `metrics.queries.cpu`. */
  where: string;
  /** As sent. */
  query: string;
  reason: string;
}

/**
 * Has Prometheus parse every query of the configuration.
 * @returns those that it refuses
 * @throws PrometheusError (retryable) when it cannot be asked
 */
export async function findRefusedQueries(
  prometheus: PrometheusClient,
  asked: { queries: MetricQueries; rules: readonly FlagRule[]; stepMs: number },
  signal?: AbortSignal,
): Promise<RefusedQuery[]> {
  const context = {
    selector: SELECTOR,
    machine: SELECTOR.value,
    stepMs: asked.stepMs,
    windowMs: 60_000,
    limits: undefined,
  };
  const wanted = [
    ...Object.entries(asked.queries).map(([name, query]) => ({
      where: `metrics.queries.${name}`,
      query: fillQuery(query, SELECTOR, asked.stepMs),
    })),
    ...asked.rules.map(({ name, query }) => ({ where: `metrics.rules ${name}`, query: fillRule(query, context) })),
  ];
  const refused: RefusedQuery[] = [];
  for (const { where, query } of wanted) {
    const reason = await prometheus.checkQuery(query, signal);
    if (reason !== undefined) refused.push({ where, query, reason });
  }
  return refused;
}

/** @throws PrometheusError PROMETHEUS_REFUSED that names every refused query, or a retryable one */
export async function checkQueries(...args: Parameters<typeof findRefusedQueries>): Promise<void> {
  const refused = await findRefusedQueries(...args);
  if (refused.length === 0) return;
  const lines = refused.map(({ where, query, reason }) => `\n  ${where}: ${reason}\n    as sent: ${query}`);
  throw new PrometheusError(
    'PROMETHEUS_REFUSED',
    `Prometheus refuses ${String(refused.length)} of the configured queries:${lines.join('')}\n  {selector} stands inside a metric's own braces, e.g. up{{selector}}`,
  );
}
