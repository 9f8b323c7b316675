import type { MetricsDocument } from './document.js';
import type { Gaps } from './gaps.js';
import type { PrometheusClient } from './prometheus-client.js';
import { fillRule, type FlagRule, type RuleContext } from './rules.js';
import { parseValue } from './values.js';

interface Found {
  flags: NonNullable<MetricsDocument['flags']>;
  skipped: MetricsDocument['skipped'];
}

/** Which rules a job meets at the end of its window. A rule without an answer is skipped, with the reason. */
export async function findFlags(
  prometheus: PrometheusClient,
  rules: readonly FlagRule[],
  context: RuleContext & { endMs: number; jobMs: number },
  { gaps, signal }: { gaps: Gaps; signal: AbortSignal },
): Promise<Found> {
  const found: Found = { flags: [], skipped: [] };
  for (const { name, query, threshold, longerThanMs } of rules) {
    if (context.jobMs <= longerThanMs) continue;
    try {
      const series = await prometheus.query(fillRule(query, context), signal, context.endMs);
      const values = series.map(({ values: [last] }) => parseValue(last?.[1] ?? 'NaN')).filter(Number.isFinite);
      const value = values.reduce((highest, each) => Math.max(highest, each), -Infinity);
      if (value > threshold) found.flags.push({ name, value, threshold });
    } catch (error) {
      found.skipped.push({ query: `rule ${name}`, reason: gaps.reasonFor(error) });
    }
  }
  return found;
}
