import { z } from 'zod';
import { headerOf, retryAfterMs, updateIntervalMs } from './headers.js';
import type { Answer } from './http.js';
import type { Said, Unavailable } from './outcomes.js';

const ErrorBody = z.object({
  message: z.union([z.string(), z.record(z.string(), z.array(z.string()))]).optional(),
  error: z.string().optional(),
});

export type Answered = Extract<Answer, { kind: 'answer' }>;

export function saidBy(answer: Answered): Said {
  const intervalMs = updateIntervalMs(headerOf(answer.headers, 'x-gitlab-trace-update-interval'));
  return {
    jobStatus: headerOf(answer.headers, 'job-status') ?? null,
    ...(intervalMs === undefined ? {} : { intervalMs }),
  };
}

export function unavailableOf(answer: Answer, nowMs: number): Unavailable {
  if (answer.kind === 'broken') {
    const { reason, timedOut } = answer;
    return { kind: 'unavailable', reason, answered: false, ...(timedOut === undefined ? {} : { timedOut }) };
  }
  const wishMs = retryAfterMs(answer.headers, nowMs);
  return {
    kind: 'unavailable',
    reason: errorText(answer),
    ...(wishMs === undefined ? {} : { retryAfterMs: wishMs }),
    answered: answer.status < 500,
  };
}

/** `{"message": "text"}`, `{"message": {"field": ["a"]}}`, `{"error": "text"}`; anything else is left out: it may be a page. */
export function errorText({ status, headers, body }: Answered): string {
  const location = headerOf(headers, 'location');
  if (location !== undefined)
    return `status ${String(status)}: it redirects to ${withoutQuery(location)}; is the URL right?`;
  const told = ErrorBody.safeParse(parseJson(body));
  if (!told.success) return `status ${String(status)}`;
  const { message, error } = told.data;
  const words =
    message === undefined || typeof message === 'string'
      ? (message ?? error)
      : Object.entries(message)
          .map(([field, problems]) => `${field} ${problems.join(', ')}`)
          .join('; ');
  return words === undefined ? `status ${String(status)}` : `status ${String(status)}: ${words.slice(0, 300)}`;
}

/** A query may hold a signature that is as good as a password. */
function withoutQuery(location: string): string {
  return location.replace(/[?#].*$/s, '').slice(0, 300);
}

export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined; // no JSON: the schema says so
  }
}
