import type { Readable } from 'node:stream';
import { headerOf, retryAfterMs } from './headers.js';
import type { Http, OpenAnswer } from './http.js';
import type { DownloadArtifactOutcome } from './outcomes.js';
import { isSameServer, MAX_REDIRECTS, redirectTarget } from './redirect.js';

/** Of a pause, not of the whole: archives may be large and lines slow. */
const SILENCE_MS = 60_000;
const REDIRECTS = [301, 302, 303, 307, 308];

export interface DownloadWish {
  /** From object storage itself, where GitLab has one; else GitLab hands it through. */
  direct: boolean;
}

/**
 * The archive of a job that this one depends on (gitlab-protocol section 1.10). A redirect is followed by hand: object storage
 * gets no token, for it has none of its own business with it and refuses requests that carry one.
 */
export async function openArchive(
  http: Http,
  job: { id: number; token: string },
  { direct }: DownloadWish,
  signal?: AbortSignal,
): Promise<DownloadArtifactOutcome> {
  const call = {
    endpoint: 'download_artifacts',
    method: 'GET',
    path: `jobs/${String(job.id)}/artifacts`,
    timeoutMs: SILENCE_MS,
    signal,
  } as const;
  const token = { 'job-token': job.token };
  let at = new URL(`${call.path}${direct ? '?direct_download=true' : ''}`, http.baseUrl);
  const home = at;
  for (let redirects = 0; ; redirects++) {
    const answer = await http.open({ ...call, headers: isSameServer(at, home) ? token : {} }, at);
    if (answer.kind === 'broken') return { kind: 'unavailable', reason: answer.reason, answered: false };
    if (answer.status === 200) return { kind: 'archive', content: answer.body };
    discard(answer.body);
    const location = REDIRECTS.includes(answer.status) ? headerOf(answer.headers, 'location') : undefined;
    const target = redirectTarget(location, at);
    if (target === undefined || redirects >= MAX_REDIRECTS) return outcomeOf(answer);
    at = target;
  }
}

function outcomeOf({ status, headers }: Extract<OpenAnswer, { kind: 'answer' }>): DownloadArtifactOutcome {
  if (status === 401 || status === 403) return { kind: 'forbidden', status };
  if (status === 404) return { kind: 'missing' };
  const wishMs = retryAfterMs(headers, Date.now());
  return {
    kind: 'unavailable',
    reason: `status ${String(status)}`,
    ...(wishMs === undefined ? {} : { retryAfterMs: wishMs }),
    answered: status < 500,
  };
}

/** Nobody reads it; the connection may go on. */
function discard(body: Readable): void {
  body.on('error', () => undefined);
  body.resume();
}
