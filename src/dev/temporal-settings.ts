/**
 * Of Temporal's server: an open poll of a worker that is paused gets tasks before the polls of others, until the server ends it; by
 * default after a minute. A worker that lives asks again at once. See ADR 29; `deploy/temporal-dynamic-config.yaml` has the same.
 */
export const TEMPORAL_DYNAMIC_CONFIG = { 'matching.longPollExpirationInterval': '5s' };

/** For `temporal server start-dev`. */
export function dynamicConfigArguments(): string[] {
  return Object.entries(TEMPORAL_DYNAMIC_CONFIG).map(
    ([key, value]) => `--dynamic-config-value=${key}=${JSON.stringify(value)}`,
  );
}
