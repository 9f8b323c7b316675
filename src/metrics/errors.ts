/**
 * Who must act: `UNREACHABLE`, `TIMEOUT` and `FAULT` are the server's, `DENIED` the operator's (address, credentials, proxy),
 * `REFUSED` the query's author's.
 */
export type PrometheusErrorCode =
  /** No connection, or it broke before an answer began. */
  | 'PROMETHEUS_UNREACHABLE'
  /** It took the question and did not answer in time. */
  | 'PROMETHEUS_TIMEOUT'
  /** 5xx, 408, 429, half an answer, or one that no Prometheus gives. */
  | 'PROMETHEUS_FAULT'
  /** It is not to be asked like this: 401, 403, 404, a redirect. Tried again, since the operator can put it right. */
  | 'PROMETHEUS_DENIED'
  /** 400 or 422, or an answer beyond all bounds: this query will never be answered. */
  | 'PROMETHEUS_REFUSED';

/** `retryable`: the same question may be answered later. The message names the server and nothing of the job. */
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
