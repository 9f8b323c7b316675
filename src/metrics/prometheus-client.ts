import { Agent, request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { PrometheusError } from './errors.js';
import { parsePromDuration } from './queries.js';
import type { QueryRange } from './range.js';

export { PrometheusError, type PrometheusErrorCode } from './errors.js';

export interface Series {
  labels: Record<string, string>;
  /** Unix seconds and the value as Prometheus writes it (`"0.5"`, `"NaN"`, `"+Inf"`). */
  values: [number, string][];
}

/** Prometheus' HTTP API, as Mimir, Thanos and VictoriaMetrics speak it too. All of it throws PrometheusError, or the signal's reason. */
export interface PrometheusClient {
  queryRange(query: string, range: QueryRange, signal?: AbortSignal): Promise<Series[]>;
  /** The value of each series at a moment (default: now), or the raw samples when the query is `x[…]`. */
  query(query: string, signal?: AbortSignal, atMs?: number): Promise<Series[]>;
  /**
   * Has the server parse and type-check a query for a graph, without reading data.
   * @returns why it would be refused; undefined when it is good
   */
  checkQuery(query: string, signal?: AbortSignal): Promise<string | undefined>;
  /** How long the server keeps samples, in milliseconds; undefined where it does not say (Mimir, Thanos) or only bounds their size. */
  retention(signal?: AbortSignal): Promise<number | undefined>;
  ready(signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface PrometheusOptions {
  url: string;
  /** Sent with every request: credentials, a Mimir or Thanos tenant. */
  headers?: Record<string, string>;
  /** PEM. */
  ca?: string;
  /** PEM, for servers that want a certificate of us. */
  cert?: string;
  key?: string;
  /** The most that one question may take, connection and answer; default 30 s. */
  timeoutMs?: number;
}

const Sample = z.tuple([z.number(), z.string()]);
const Labels = z.record(z.string(), z.string());
// Native histograms come without `values`: they are no graph.
const Answer = z.object({
  status: z.literal('success'),
  data: z.discriminatedUnion('resultType', [
    z.object({
      resultType: z.literal('matrix'),
      result: z.array(z.object({ metric: Labels, values: z.array(Sample).default([]) })),
    }),
    z.object({
      resultType: z.literal('vector'),
      result: z.array(z.object({ metric: Labels, value: Sample.optional() })),
    }),
    z.object({ resultType: z.literal('scalar'), result: Sample }),
  ]),
});
const RuntimeInfo = z.object({ data: z.object({ storageRetention: z.string() }) });
const Refusal = z.object({ error: z.string() });

const TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** A range of 11,000 points and some hundred series; more is a mistake in the query. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const SHOWN_BODY_LENGTH = 200;

export function createPrometheusClient(options: PrometheusOptions): PrometheusClient {
  const base = options.url.replace(/\/+$/, '');
  const where = `Prometheus at ${withoutCredentials(base)}`;
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const { ca, cert, key } = options;
  const agent = new Agent({
    connect: {
      timeout: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
    maxResponseSize: MAX_ANSWER_BYTES,
  });

  async function send(path: string, form: Record<string, string> | undefined, signal: AbortSignal | undefined) {
    const timeout = AbortSignal.timeout(timeoutMs);
    let response: Dispatcher.ResponseData | undefined;
    try {
      response = await request(`${base}${path}`, {
        method: form === undefined ? 'GET' : 'POST',
        dispatcher: agent,
        headers: {
          ...options.headers,
          ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        },
        ...(form === undefined ? {} : { body: new URLSearchParams(form).toString() }),
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
      return { status: response.statusCode, text: await response.body.text() };
    } catch (cause) {
      signal?.throwIfAborted(); // cancellation outranks its fallout
      if (timeout.aborted) {
        const seconds = String(timeoutMs / 1000);
        throw new PrometheusError('PROMETHEUS_TIMEOUT', `${where} did not answer within ${seconds} s`, { cause });
      }
      throw transportError(where, cause, response !== undefined);
    }
  }

  async function ask(path: string, form: Record<string, string>, signal: AbortSignal | undefined): Promise<Series[]> {
    const { status, text } = await send(path, form, signal);
    if (status !== 200) throw refusal(where, status, text);
    const parsed = Answer.safeParse(parseJson(text));
    if (!parsed.success) {
      throw new PrometheusError(
        'PROMETHEUS_FAULT',
        `${where} gave an answer that is not a Prometheus': is the address right, is there a proxy in between?`,
      );
    }
    return toSeries(parsed.data);
  }

  async function queryRange(query: string, range: QueryRange, signal?: AbortSignal): Promise<Series[]> {
    const { startMs, endMs, stepMs } = range;
    const form = { query, start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) };
    return await ask('/api/v1/query_range', form, signal);
  }

  return {
    queryRange,
    query: (query, signal, atMs) =>
      ask('/api/v1/query', { query, ...(atMs === undefined ? {} : { time: seconds(atMs) }) }, signal),
    // At the epoch, where there are no data. `parse_query` and `format_query` exist on some servers only, and neither tells
    // that a graph cannot be made of `x[5m]`.
    async checkQuery(query, signal) {
      try {
        await queryRange(query, { startMs: 0, endMs: 0, stepMs: 1000 }, signal);
        return undefined;
      } catch (error) {
        if (error instanceof PrometheusError && error.code === 'PROMETHEUS_REFUSED') return error.message;
        throw error;
      }
    },
    async retention(signal) {
      const { status, text } = await send('/api/v1/status/runtimeinfo', undefined, signal);
      const told = RuntimeInfo.safeParse(parseJson(text));
      return status === 200 && told.success ? parsePromDuration(told.data.data.storageRetention) : undefined;
    },
    async ready(signal) {
      const { status, text } = await send('/-/ready', undefined, signal);
      // Mimir and Thanos have no such page behind their prefix, but answer.
      if (status >= 400 && status !== 404) throw refusal(where, status, text);
    },
    close: () => agent.destroy(),
  };
}

function toSeries({ data }: z.infer<typeof Answer>): Series[] {
  switch (data.resultType) {
    case 'matrix':
      return data.result.map(({ metric, values }) => ({ labels: metric, values }));
    case 'vector':
      return data.result.map(({ metric, value }) => ({ labels: metric, values: value === undefined ? [] : [value] }));
    case 'scalar':
      return [{ labels: {}, values: [data.result] }];
  }
}

function transportError(where: string, cause: unknown, answering: boolean): PrometheusError {
  const code = reasonOf(cause);
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    const limit = `${String(MAX_ANSWER_BYTES / 1024 / 1024)} MiB`;
    return new PrometheusError(
      'PROMETHEUS_REFUSED',
      `The answer of ${where} is larger than ${limit}: narrow the query`,
      {
        cause,
      },
    );
  }
  return answering
    ? new PrometheusError('PROMETHEUS_FAULT', `${where} broke off in the middle of its answer (${code})`, { cause })
    : new PrometheusError('PROMETHEUS_UNREACHABLE', `${where} cannot be reached (${code})`, { cause });
}

function refusal(where: string, status: number, text: string): PrometheusError {
  const told = Refusal.safeParse(parseJson(text));
  const words = told.success ? told.data.error : text.slice(0, SHOWN_BODY_LENGTH).trim();
  return new PrometheusError(
    codeOfStatus(status),
    `${where} answered ${String(status)}${words === '' ? '' : `: ${words}`}`,
  );
}

/** The API's own codes: 400 bad parameters, 422 cannot be executed, 503 timed out or aborted; the rest is HTTP's. */
function codeOfStatus(status: number): PrometheusError['code'] {
  if (status === 400 || status === 422) return 'PROMETHEUS_REFUSED';
  if (status >= 500 || status === 429 || status === 408) return 'PROMETHEUS_FAULT';
  return 'PROMETHEUS_DENIED';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // half a body, or a proxy's page: the schema check says so
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
