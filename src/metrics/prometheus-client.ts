import { Agent, request, type Dispatcher } from 'undici';
import { z } from 'zod';

export interface Series {
  labels: Record<string, string>;
  /** Unix seconds and the value as Prometheus writes it. */
  values: [number, string][];
}

export type PrometheusErrorCode = 'PROMETHEUS_UNREACHABLE' | 'PROMETHEUS_REFUSED' | 'PROMETHEUS_FAULT';

/** `retryable`: the same question may be answered later. */
export class PrometheusError extends Error {
  override readonly name = 'PrometheusError';
  readonly code: PrometheusErrorCode;
  readonly retryable: boolean;

  constructor(code: PrometheusErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.retryable = code !== 'PROMETHEUS_REFUSED';
  }
}

export interface PrometheusClient {
  /** @throws PrometheusError */
  queryRange(
    query: string,
    range: { startMs: number; endMs: number; stepMs: number },
    signal?: AbortSignal,
  ): Promise<Series[]>;
  /** The value of each series now. */
  query(query: string, signal?: AbortSignal): Promise<Series[]>;
  ready(signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const Sample = z.tuple([z.number(), z.string()]);
const Answer = z.object({
  status: z.literal('success'),
  data: z.union([
    z.object({
      resultType: z.literal('matrix'),
      result: z.array(z.object({ metric: z.record(z.string(), z.string()), values: z.array(Sample) })),
    }),
    z.object({
      resultType: z.literal('vector'),
      result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: Sample })),
    }),
    z.object({ resultType: z.literal('scalar'), result: Sample }),
  ]),
});
const Refusal = z.object({ errorType: z.string().optional(), error: z.string() });

const TIMEOUT_MS = 30_000;
/** A range of 11,000 points and some hundred series; more is a mistake in the query. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** @param headers sent with every request: credentials, a Mimir or Thanos tenant */
export function createPrometheusClient(options: {
  url: string;
  headers?: Record<string, string>;
  ca?: string;
}): PrometheusClient {
  const base = options.url.replace(/\/+$/, '');
  const agent = new Agent({
    connect: { timeout: 5_000, ...(options.ca === undefined ? {} : { ca: options.ca }) },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    maxResponseSize: MAX_ANSWER_BYTES,
  });

  async function send(path: string, form: Record<string, string> | undefined, signal: AbortSignal | undefined) {
    try {
      const response = await request(`${base}${path}`, {
        method: form === undefined ? 'GET' : 'POST',
        dispatcher: agent,
        headers: {
          ...options.headers,
          ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        },
        ...(form === undefined ? {} : { body: new URLSearchParams(form).toString() }),
        ...(signal === undefined ? {} : { signal }),
      });
      return { response, text: await response.body.text() };
    } catch (cause) {
      signal?.throwIfAborted();
      throw new PrometheusError(
        'PROMETHEUS_UNREACHABLE',
        `Prometheus at ${base} cannot be reached (${reasonOf(cause)})`,
        { cause },
      );
    }
  }

  async function ask(path: string, form: Record<string, string>, signal: AbortSignal | undefined): Promise<Series[]> {
    const { response, text } = await send(path, form, signal);
    if (response.statusCode !== 200) throw refusal(base, response, text);
    const parsed = Answer.safeParse(parseJson(text));
    if (!parsed.success) {
      throw new PrometheusError(
        'PROMETHEUS_FAULT',
        `Prometheus at ${base} gave an answer that is not its own: is there a proxy in between?`,
      );
    }
    const { data } = parsed.data;
    switch (data.resultType) {
      case 'matrix':
        return data.result.map(({ metric, values }) => ({ labels: metric, values }));
      case 'vector':
        return data.result.map(({ metric, value }) => ({ labels: metric, values: [value] }));
      case 'scalar':
        return [{ labels: {}, values: [data.result] }];
    }
  }

  return {
    queryRange: (query, { startMs, endMs, stepMs }, signal) =>
      ask(
        '/api/v1/query_range',
        { query, start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) },
        signal,
      ),
    query: (query, signal) => ask('/api/v1/query', { query }, signal),
    async ready(signal) {
      const { response, text } = await send('/-/ready', undefined, signal);
      // Mimir and Thanos have no such page but answer.
      if (response.statusCode >= 500) throw refusal(base, response, text);
    },
    close: () => agent.close(),
  };
}

function refusal(base: string, response: Dispatcher.ResponseData, text: string): PrometheusError {
  const told = Refusal.safeParse(parseJson(text));
  const words = told.success ? told.data.error : text.slice(0, 200);
  const busy = response.statusCode >= 500 || response.statusCode === 429 || response.statusCode === 408;
  return new PrometheusError(
    busy ? 'PROMETHEUS_FAULT' : 'PROMETHEUS_REFUSED',
    `Prometheus at ${base} answered ${String(response.statusCode)}: ${words}`,
  );
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

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
