import { readLatestUsage } from '../metrics/usage-log.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import type { UsageMetrics } from '../telemetry/usage-metrics.js';

/**
 * What /metrics tells of job names outlasts a restart. Nobody waits for it, neither the start nor readiness: a bucket with many
 * projects takes a while, and a name whose job ends meanwhile is there by that.
 */
export async function fillUsage(store: Store, usage: UsageMetrics, logger: Logger): Promise<void> {
  try {
    for (const each of await readLatestUsage(store, usage.mostNames)) usage.record(each);
  } catch (error) {
    logger.warn(
      { error: String(error) },
      'What job names used cannot be read; each is on /metrics again after its next job',
    );
  }
}
