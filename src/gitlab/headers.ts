/** What GitLab says in headers (gitlab-protocol sections 1.1 and 1.6). Pure; whatever a server or a proxy sends, nothing throws. */

/** The reference runner's cap of the sender's period. */
const MAX_INTERVAL_MS = 15 * 60_000;
/** No server may send us to sleep for longer. */
const MAX_RETRY_AFTER_MS = 10 * 60_000;

export type Headers = Record<string, string | string[] | undefined>;

export function headerOf(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  const first = Array.isArray(value) ? value[0] : value;
  return first === undefined || first.trim() === '' ? undefined : first.trim();
}

/** `Content-Range` of a trace chunk: both ends inclusive, no unit, no total. */
export function contentRange(offset: number, length: number): string {
  return `${String(offset)}-${String(offset + length - 1)}`;
}

/**
 * `Range: 0-N` of an answer: N is the size that the server has, so the next offset (an exclusive end, unlike HTTP's).
 * @returns undefined when the header is no such range
 */
export function sizeOfRange(header: string | undefined): number | undefined {
  const match = /^(?:bytes=)?0-(\d{1,15})$/.exec(header ?? '');
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

/** `X-GitLab-Trace-Update-Interval`, whole seconds; undefined when absent or not positive. */
export function updateIntervalMs(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,9}$/.test(header)) return undefined;
  const ms = Number(header) * 1000;
  return ms > 0 ? Math.min(ms, MAX_INTERVAL_MS) : undefined;
}

/** `RateLimit-ResetTime` (a date) before `Retry-After` (seconds, or a date as HTTP allows). */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const reset = millisecondsUntil(headerOf(headers, 'ratelimit-resettime'), nowMs);
  if (reset !== undefined) return reset;
  const after = headerOf(headers, 'retry-after');
  if (after !== undefined && /^\d{1,9}$/.test(after)) return Math.min(Number(after) * 1000, MAX_RETRY_AFTER_MS);
  return millisecondsUntil(after, nowMs);
}

function millisecondsUntil(date: string | undefined, nowMs: number): number | undefined {
  const atMs = date === undefined || /^-?\d+$/.test(date) ? Number.NaN : Date.parse(date);
  return Number.isNaN(atMs) ? undefined : Math.min(Math.max(0, atMs - nowMs), MAX_RETRY_AFTER_MS);
}

/** `Date`: the server's clock. */
export function dateMs(header: string | undefined): number | undefined {
  const ms = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(ms) ? undefined : ms;
}
