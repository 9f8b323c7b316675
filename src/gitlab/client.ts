import { z } from 'zod';
import { errorText, parseJson, saidBy, unavailableOf, type Answered } from './answers.js';
import { MAX_JSON_BYTES, readBoundedJson } from './bounded-json.js';
import { contentRange, dateMs, headerOf, sizeOfRange } from './headers.js';
import { openArchive, type DownloadWish } from './download.js';
import type { Answer, Call, Endpoint, Http } from './http.js';
import type { RunnerInfo } from './info.js';
import {
  isEnded,
  outcomeOfForbidden,
  type DownloadArtifactOutcome,
  type PatchTraceOutcome,
  type RequestJobOutcome,
  type ResetTokenOutcome,
  type Said,
  type Unavailable,
  type UpdateJobOutcome,
  type UploadArtifactOutcome,
  type VerifyOutcome,
} from './outcomes.js';
import { identityOf } from './payload/index.js';
import { sendArtifact, type ArtifactUpload } from './upload.js';

/** GitLab's runner API with one runner token (gitlab-protocol section 1). One call is one request: callers decide on repeats. */
export interface GitlabClient {
  verify(options?: { signal?: AbortSignal }): Promise<VerifyOutcome>;
  /** Asks for another token in place of this one. Never cut: who does not read the answer has no token any more. */
  resetToken(token: string): Promise<ResetTokenOutcome>;
  /** May be held by the server for minutes. Cutting it may lose a job that was just assigned. */
  requestJob(options?: { lastUpdate?: string | null; signal?: AbortSignal }): Promise<RequestJobOutcome>;
  job(credentials: JobCredentials): JobApi;
  close(): Promise<void>;
}

export interface JobCredentials {
  id: number;
  token: string;
  /** GitLab shows the log to those only who may change the pipeline. */
  debugTrace?: boolean | undefined;
}

/** The calls with a job's own token. */
export interface JobApi {
  /** @param chunk 1 byte to 1 MiB */
  patchTrace(chunk: { offset: number; bytes: Buffer }, signal?: AbortSignal): Promise<PatchTraceOutcome>;
  updateJob(update: JobUpdate, signal?: AbortSignal): Promise<UpdateJobOutcome>;
  uploadArtifact(artifact: ArtifactUpload, signal?: AbortSignal): Promise<UploadArtifactOutcome>;
  /** The job's own archive, wherever GitLab keeps it; the token goes to GitLab alone. */
  downloadArtifact(how: DownloadWish, signal?: AbortSignal): Promise<DownloadArtifactOutcome>;
}

export interface JobUpdate {
  state: 'running' | 'success' | 'failed';
  failureReason?: string;
  /** Sent when it is not 0. */
  exitCode?: number;
  /** Of the whole log; the checksum as `crc32:` and eight hexadecimal digits. */
  output?: { checksum: string; bytesize: number };
}

export const MAX_CHUNK_BYTES = 1024 * 1024;

/**
 * GitLab's front end holds a poll for 50 s as a rule, others for longer: who cuts it may lose a job that is just being assigned.
 * As long as the reference waits; a GitLab that is not there any more is noticed by TCP's own probes.
 */
const POLL_TIMEOUT_MS = 10 * 60_000;
const UPDATE_TIMEOUT_MS = 20_000;
/** GitLab itself gives up a request after a minute; who gives up before its answer has no token any more. */
const RESET_TIMEOUT_MS = 3 * 60_000;
const PATCH_TIMEOUT_MS = 30_000;

const Renewed = z.object({ token: z.string().regex(/^[\x21-\x7e]{8,1000}$/), token_expires_at: z.string().nullish() });
const Verified = z.object({ id: z.number().nullish(), token_expires_at: z.string().nullish() });
export interface ClientOptions {
  http: Http;
  /** Read at each call, so that a replaced token file is seen. */
  token: () => string;
  systemId: string;
  info: RunnerInfo;
  now?: () => number;
}

export function createGitlabClient(options: ClientOptions): GitlabClient {
  const { http, info, systemId, now = Date.now } = options;

  const unavailable = (answer: Answer): Unavailable => unavailableOf(answer, now());

  return {
    async verify({ signal } = {}) {
      const token = options.token();
      const answer = await http.send({
        ...jsonCall('verify_runner', 'POST', 'runners/verify', { info, token, system_id: systemId }),
        headers: { ...JSON_HEADERS, 'runner-token': token },
        timeoutMs: UPDATE_TIMEOUT_MS,
        signal,
      });
      if (answer.kind === 'broken') return unavailable(answer);
      if (answer.status === 200) {
        // Very old servers answer a plain "200".
        const told = Verified.safeParse(parseJson(answer.body));
        const serverTimeMs = dateMs(headerOf(answer.headers, 'date'));
        return {
          kind: 'valid',
          runnerId: told.data?.id ?? null,
          expiresAt: told.data?.token_expires_at ?? null,
          ...(serverTimeMs === undefined ? {} : { serverTimeMs }),
        };
      }
      if ([401, 403, 422].includes(answer.status)) return { kind: 'invalid', reason: errorText(answer) };
      return unavailable(answer);
    },

    async resetToken(token) {
      const answer = await http.send({
        ...jsonCall('reset_token', 'POST', 'runners/reset_authentication_token', { token }),
        headers: { ...JSON_HEADERS, 'runner-token': token },
        timeoutMs: RESET_TIMEOUT_MS,
      });
      if (answer.kind === 'broken') return unavailable(answer);
      if (answer.status === 403) return { kind: 'invalid', reason: errorText(answer) };
      const told = answer.status === 201 ? Renewed.safeParse(parseJson(answer.body)) : undefined;
      if (told?.success !== true) return unavailable(answer);
      return { kind: 'renewed', token: told.data.token, expiresAt: told.data.token_expires_at ?? null };
    },

    async requestJob({ lastUpdate, signal } = {}) {
      const token = options.token();
      const answer = await http.send({
        ...jsonCall('request_job', 'POST', 'jobs/request', {
          info,
          token,
          system_id: systemId,
          ...(lastUpdate == null ? {} : { last_update: lastUpdate }),
        }),
        headers: { ...JSON_HEADERS, 'runner-token': token },
        timeoutMs: POLL_TIMEOUT_MS,
        // The beginning of one that is too large says whose job it is.
        maxAnswerBytes: MAX_JSON_BYTES,
        cutAnswer: true,
        signal,
      });
      if (answer.kind === 'broken') return unavailable(answer);
      const next = headerOf(answer.headers, 'x-gitlab-last-update') ?? null;
      switch (answer.status) {
        case 201:
          return isJob(answer)
            ? { kind: 'job', body: answer.body, lastUpdate: next }
            : { ...unavailable(answer), reason: 'status 201 without a job: is there a proxy between?' };
        case 204:
          return { kind: 'none', lastUpdate: next };
        case 403:
          return { kind: 'forbidden', reason: errorText(answer) };
        case 409:
        case 422:
          return { kind: 'conflict', reason: errorText(answer) };
        default:
          return unavailable(answer);
      }
    },

    job: (credentials) => jobApi(http, info, credentials, unavailable),
    close: () => http.close(),
  };
}

function jobApi(
  http: Http,
  info: RunnerInfo,
  { id, token, debugTrace }: JobCredentials,
  unavailable: (answer: Answer) => Unavailable,
): JobApi {
  const path = `jobs/${String(id)}`;
  return {
    async patchTrace({ offset, bytes }, signal) {
      const answer = await http.send({
        endpoint: 'patch_trace',
        method: 'PATCH',
        path: `${path}/trace`,
        query: { debug_trace: String(debugTrace ?? false) },
        headers: {
          'job-token': token,
          'content-type': 'text/plain',
          'content-range': contentRange(offset, bytes.length),
        },
        body: bytes,
        timeoutMs: PATCH_TIMEOUT_MS,
        signal,
      });
      if (answer.kind === 'broken') return unavailable(answer);
      const said = saidBy(answer);
      if (isEnded(said.jobStatus)) return { kind: 'refused', jobStatus: said.jobStatus };
      const status = statusOf(said);
      switch (answer.status) {
        case 202:
          return { kind: 'accepted', ...said };
        case 416:
          return { kind: 'misplaced', size: sizeOfRange(headerOf(answer.headers, 'range')) ?? null, ...status };
        case 403:
          return outcomeOfForbidden(said.jobStatus);
        case 404:
          return { kind: 'unknown', ...status };
        default:
          return { ...unavailable(answer), ...status };
      }
    },

    async updateJob(update, signal) {
      const answer = await http.send({
        ...jsonCall('update_job', 'PUT', path, updateBody(info, token, update)),
        headers: { 'content-type': 'application/json', 'job-token': token },
        timeoutMs: UPDATE_TIMEOUT_MS,
        signal,
      });
      if (answer.kind === 'broken') return unavailable(answer);
      const said = saidBy(answer);
      // Whatever the code; but the final status that is taken is answered with the state that the job now has.
      const taken = answer.status === 200 && update.state !== 'running';
      if (isEnded(said.jobStatus) && !taken) return { kind: 'refused', jobStatus: said.jobStatus };
      switch (answer.status) {
        case 200:
          return { kind: 'accepted', ...said };
        case 202:
          return { kind: 'waiting', ...said };
        case 412:
          return { kind: 'resend', ...said };
        case 403:
          return outcomeOfForbidden(said.jobStatus);
        case 404:
          return { kind: 'unknown' };
        default:
          return { ...unavailable(answer), ...statusOf(said) };
      }
    },

    downloadArtifact: (how, signal) => openArchive(http, { id, token }, how, signal),
    uploadArtifact: (artifact, signal) => sendArtifact(http, { id, token }, artifact, signal),
  };
}

function statusOf({ jobStatus }: Said): { jobStatus?: string } {
  return jobStatus === null ? {} : { jobStatus };
}

/** gitlab-protocol section 1.1. One that is a job, but none that can be run, is for the intake to refuse. */
function isJob({ headers, body }: Answered): boolean {
  if (!/^application\/json\b/i.test(headerOf(headers, 'content-type') ?? '')) return false;
  const read = readBoundedJson(body);
  if (read.kind === 'none') return false;
  const { jobId, token } = identityOf(read.kind === 'json' ? read.value : read.head);
  return jobId !== undefined && token !== undefined;
}

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json' };

function jsonCall(
  endpoint: Endpoint,
  method: Call['method'],
  path: string,
  body: object,
): Pick<Call, 'endpoint' | 'method' | 'path' | 'body'> {
  return { endpoint, method, path, body: JSON.stringify(body) };
}

function updateBody(info: RunnerInfo, token: string, update: JobUpdate): object {
  const { state, failureReason, exitCode, output } = update;
  return {
    info,
    token,
    state,
    ...(failureReason === undefined ? {} : { failure_reason: failureReason }),
    // `checksum` is the deprecated twin of the one in `output`.
    ...(output === undefined ? {} : { checksum: output.checksum, output }),
    ...(exitCode === undefined || exitCode === 0 ? {} : { exit_code: exitCode }),
  };
}
