import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Agent, EnvHttpProxyAgent, request, type Dispatcher } from 'undici';
import type { Proxies } from '../config/proxies.js';
import { VERSION } from '../version.js';
import type { Headers } from './headers.js';

/** Names of the label `endpoint`; those that GitLab's runner has are its own. */
export type Endpoint =
  | 'verify_runner'
  | 'reset_token'
  | 'request_job'
  | 'update_job'
  | 'patch_trace'
  | 'upload_artifacts'
  | 'download_artifacts';

export interface Call {
  endpoint: Endpoint;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  /** Below `/api/v4/`. */
  path: string;
  query?: Record<string, string | undefined>;
  headers?: Record<string, string>;
  body?: Buffer | Readable | string;
  /** From the first byte sent to the last byte read. */
  timeoutMs: number;
  maxAnswerBytes?: number;
  /** What is larger is cut there, not refused: its beginning may be all that is needed. */
  cutAnswer?: boolean;
  signal?: AbortSignal | undefined;
}

export type Answer =
  | { kind: 'answer'; status: number; headers: Headers; body: Buffer }
  /** No whole answer: refused, reset, timed out, cut in the middle, or larger than we read. */
  | { kind: 'broken'; reason: string; timedOut?: true };

/** An answer whose body is still to be read, or destroyed. */
export type OpenAnswer =
  { kind: 'answer'; status: number; headers: Headers; body: Readable } | Extract<Answer, { kind: 'broken' }>;

export interface HttpOptions {
  url: string;
  /** PEM texts. */
  ca?: string;
  cert?: string;
  key?: string;
  proxies?: Proxies | undefined;
  /** `status` is the number, or `-1` without an answer, as GitLab's runner counts. */
  observe?: (endpoint: Endpoint, status: number) => void;
}

export interface Http {
  readonly baseUrl: string;
  /**
   * @param url elsewhere than at the API: where an answer has sent the call
   * @throws the signal's reason when it aborts; nothing else
   */
  send(call: Call, url?: URL): Promise<Answer>;
  /**
   * For what is too large to be held; its timeout is that of each pause.
   * @param url as of `send`
   * @throws as `send`
   */
  open(call: Omit<Call, 'body' | 'maxAnswerBytes' | 'cutAnswer'>, url?: URL): Promise<OpenAnswer>;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** Longer than a poll's pause, shorter than what proxies keep. */
const IDLE_CONNECTION_MS = 30_000;
/** Of silence; ten more seconds, and a connection whose other end is gone counts as broken, also under a poll that is held. */
const PROBE_AFTER_MS = 15_000;
const MAX_ANSWER_BYTES = 256 * 1024;

/** One GitLab over undici: agents of its own, since its TLS settings are its own. No retries here: each caller knows its own. */
export function createHttp(options: HttpOptions): Http {
  const baseUrl = apiUrl(options.url);
  const agents = createAgents(options);

  return {
    baseUrl,
    async send(call, url = urlOf(baseUrl, call)) {
      const answer = await within(call.timeoutMs, call.signal, (signal) =>
        exchange(agents.for(url), url, call, signal),
      );
      options.observe?.(call.endpoint, answer.kind === 'answer' ? answer.status : -1);
      return answer;
    },
    async open(call, url = urlOf(baseUrl, call)) {
      call.signal?.throwIfAborted();
      try {
        const { statusCode, headers, body } = await request(url, {
          dispatcher: agents.for(url),
          method: call.method,
          headers: standardHeaders(call),
          signal: call.signal ?? null,
          headersTimeout: call.timeoutMs,
          bodyTimeout: call.timeoutMs,
        });
        options.observe?.(call.endpoint, statusCode);
        return { kind: 'answer', status: statusCode, headers, body };
      } catch (error) {
        call.signal?.throwIfAborted();
        options.observe?.(call.endpoint, -1);
        return { kind: 'broken', reason: reasonOf(error) };
      }
    },
    close: () => agents.close(),
  };
}

/** Never through a proxy, as with the reference: it would be the proxy's own machine. */
const LOOPBACK = 'localhost,127.0.0.1,[::1]';

function createAgents({ ca, cert, key, proxies }: HttpOptions) {
  const connection = {
    timeout: CONNECT_TIMEOUT_MS,
    keepAliveInitialDelay: PROBE_AFTER_MS,
    minVersion: 'TLSv1.2',
  } as const;
  const toGitlab = {
    ...connection,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  const keepAlive = { keepAliveTimeout: IDLE_CONNECTION_MS, keepAliveMaxTimeout: IDLE_CONNECTION_MS };
  const direct = new Agent({ ...keepAlive, connect: toGitlab });
  const proxied =
    proxies &&
    new EnvHttpProxyAgent({
      ...keepAlive,
      connect: toGitlab,
      requestTls: toGitlab,
      proxyTls: connection,
      // A tunnel is for TLS: many proxies dig none to port 80.
      proxyTunnel: false,
      // What is absent is said as such, or undici looks into the environment itself.
      httpProxy: proxies.http ?? '',
      httpsProxy: proxies.https ?? '',
      noProxy: proxies.except === '*' ? '*' : `${proxies.except ?? ''},${LOOPBACK}`,
    });

  return {
    for(url: URL): Dispatcher {
      // To undici a proxy for HTTP alone is one for HTTPS too; not to the reference.
      if (proxied === undefined || (url.protocol === 'https:' && proxies?.https === undefined)) return direct;
      return proxied;
    },
    async close(): Promise<void> {
      await Promise.all([direct.destroy(), proxied?.destroy()]);
    },
  };
}
/** gitlab-protocol section 1.1: a trailing `/` goes, then a trailing `/ci`. */
export function apiUrl(url: string): string {
  return `${url.replace(/\/+$/, '').replace(/\/ci$/, '')}/api/v4/`;
}

export const USER_AGENT = `holdfast ${VERSION} (node ${process.versions.node}; ${process.platform}/${process.arch})`;

async function exchange(dispatcher: Dispatcher, url: URL, call: Call, signal: AbortSignal): Promise<Answer> {
  const { statusCode, headers, body } = await request(url, {
    dispatcher,
    method: call.method,
    headers: standardHeaders(call),
    body: call.body ?? null,
    signal,
    // The deadline of the whole is the caller's; these only must not be shorter.
    headersTimeout: call.timeoutMs,
    bodyTimeout: call.timeoutMs,
  });
  return {
    kind: 'answer',
    status: statusCode,
    headers,
    body: await readBody(body, call),
  };
}

function urlOf(baseUrl: string, call: Pick<Call, 'path' | 'query'>): URL {
  const url = new URL(call.path, baseUrl);
  for (const [key, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined && value !== '') url.searchParams.set(key, value);
  }
  return url;
}

function standardHeaders(call: Pick<Call, 'headers'>): Record<string, string> {
  return { 'user-agent': USER_AGENT, 'x-request-id': randomUUID().replaceAll('-', ''), ...call.headers };
}

async function readBody(
  body: Dispatcher.ResponseData['body'],
  { maxAnswerBytes = MAX_ANSWER_BYTES, cutAnswer = false }: Call,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes <= maxAnswerBytes) continue;
    body.destroy();
    if (cutAnswer) break;
    throw new Error(`the answer is larger than ${String(maxAnswerBytes)} bytes`);
  }
  return Buffer.concat(chunks, Math.min(bytes, maxAnswerBytes));
}

/** A deadline for the whole exchange that leaves nothing behind on a long-lived signal. */
async function within(
  timeoutMs: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  outer?.throwIfAborted();
  const controller = new AbortController();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    controller.abort(new Error(`no answer within ${String(timeoutMs / 1000)} s`));
  }, timeoutMs);
  const forward = () => controller.abort(outer?.reason);
  outer?.addEventListener('abort', forward, { once: true });
  try {
    return await work(controller.signal);
  } catch (error) {
    outer?.throwIfAborted();
    return { kind: 'broken', reason: reasonOf(error), ...(timedOut ? { timedOut } : {}) };
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', forward);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return code === undefined || error.message.includes(code) ? error.message : `${error.message} (${code})`;
}
