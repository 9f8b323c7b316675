import { request } from 'undici';

/** A neighbour in the same process or host; a scrape must not wait for it. */
const TIMEOUT_MS = 1_000;

/**
 * Metrics that another exporter serves, to go on the same page: the Temporal SDK's native core has a Prometheus exporter of its
 * own (`telemetryOptions.metrics.prometheus`), and no way to hand over the text.
 * @param url e.g. `http://127.0.0.1:9464/metrics`
 * @returns a function that fetches the text, and throws an Error when there is none
 */
export function createForeignMetrics(url: string): () => Promise<string> {
  return async () => {
    const response = await request(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await response.body.text();
    if (response.statusCode !== 200) throw new Error(`${url} answered ${String(response.statusCode)}`);
    return toAppendable(text);
  };
}

/** OpenMetrics ends with `# EOF`, after which nothing may stand; a last line without its end would swallow the next. */
export function toAppendable(text: string): string {
  const body = text.replace(/^# EOF\n?/m, '');
  return body === '' || body.endsWith('\n') ? body : `${body}\n`;
}
