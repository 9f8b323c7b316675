import type { Readable } from 'node:stream';
import { errorText, saidBy, unavailableOf, type Answered } from './answers.js';
import { headerOf } from './headers.js';
import type { Http } from './http.js';
import { singleFileForm } from './multipart.js';
import { outcomeOfForbidden, type UploadArtifactOutcome } from './outcomes.js';
import { isSameServer, MAX_REDIRECTS, redirectTarget } from './redirect.js';

export interface ArtifactUpload {
  /** File name in the form. */
  name: string;
  type: string;
  format: string;
  expireIn?: string;
  bytes: number;
  /** Called each time that it is sent: a redirect wants it again. */
  content(): Promise<Readable>;
}

/** The reference's limit for a whole upload. */
const UPLOAD_TIMEOUT_MS = 60 * 60_000;
/** Those that keep method and body; any other would make a GET of it. */
const REDIRECTS = [307, 308];

/** One file of a job (gitlab-protocol section 1.9). A redirect is followed by hand, so that the token goes to GitLab alone. */
export async function sendArtifact(
  http: Http,
  job: { id: number; token: string },
  artifact: ArtifactUpload,
  signal?: AbortSignal,
): Promise<UploadArtifactOutcome> {
  const path = `jobs/${String(job.id)}/artifacts`;
  const query = { expire_in: artifact.expireIn, artifact_format: artifact.format, artifact_type: artifact.type };
  const home = new URL(http.baseUrl);
  let at: URL | undefined;
  for (let redirects = 0; ; redirects++) {
    const atHome = at === undefined || isSameServer(at, home);
    const content = await artifact.content();
    const form = singleFileForm({ ...artifact, content });
    const call = {
      endpoint: 'upload_artifacts',
      method: 'POST',
      path,
      query,
      headers: { ...form.headers, ...(atHome ? { 'job-token': job.token } : {}) },
      body: form.body,
      timeoutMs: UPLOAD_TIMEOUT_MS,
      signal,
    } as const;
    try {
      const answer = await http.send(call, at);
      if (answer.kind === 'broken') return unavailableOf(answer, Date.now());
      const location = REDIRECTS.includes(answer.status) ? headerOf(answer.headers, 'location') : undefined;
      const target = redirectTarget(location, at ?? new URL(path, http.baseUrl));
      if (target === undefined || redirects >= MAX_REDIRECTS) return outcomeOf(answer, atHome ? undefined : at);
      at = target;
    } finally {
      // An exchange that ended early has not read it to its end.
      content.destroy();
    }
  }
}

/** @param elsewhere where the answer came from, if not from GitLab: what it refuses says nothing about the job */
function outcomeOf(answer: Answered, elsewhere: URL | undefined): UploadArtifactOutcome {
  const { status } = answer;
  if (status === 201) return { kind: 'stored' };
  if (status === 413) return { kind: 'tooLarge' };
  if (status === 403 && elsewhere === undefined) return outcomeOfForbidden(saidBy(answer).jobStatus);
  const isRejected = status >= 300 && status < 500 && ![408, 429].includes(status);
  if (!isRejected) return unavailableOf(answer, Date.now());
  const where = elsewhere === undefined ? '' : ` (from ${elsewhere.host}, where GitLab sent it: the token stays here)`;
  return { kind: 'rejected', status, reason: `${errorText(answer)}${where}` };
}
