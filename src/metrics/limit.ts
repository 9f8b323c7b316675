import type { PrometheusClient } from './prometheus-client.js';

/** Lets at most `most` works run at once; the others wait in order. */
export type Limiter = <T>(work: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

export function createLimiter(most: number): Limiter {
  const waiting: (() => void)[] = [];
  let running = 0;

  async function enter(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (running < most) {
      running += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const admitted = () => {
        signal?.removeEventListener('abort', gaveUp);
        resolve(); // the place goes from hand to hand: `running` stays
      };
      const gaveUp = () => {
        waiting.splice(waiting.indexOf(admitted), 1);
        reject(signal?.reason as Error);
      };
      waiting.push(admitted);
      signal?.addEventListener('abort', gaveUp, { once: true });
    });
  }

  return async (work, signal) => {
    await enter(signal);
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

/** The same client, of which all questions of this process together are never more than `most` at once. */
export function withQueryLimit(prometheus: PrometheusClient, most: number): PrometheusClient {
  const limited = createLimiter(most);
  return {
    ...prometheus,
    queryRange: (query, range, signal) => limited(() => prometheus.queryRange(query, range, signal), signal),
    query: (query, signal, atMs) => limited(() => prometheus.query(query, signal, atMs), signal),
    retention: (signal) => limited(() => prometheus.retention(signal), signal),
    checkQuery: (query, signal) => limited(() => prometheus.checkQuery(query, signal), signal),
  };
}
