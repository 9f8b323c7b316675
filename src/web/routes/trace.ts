import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { jobKeys } from '../../store/keys.js';
import type { WebParts } from '../server.js';
import type { TraceState } from '../trace/trace-state.js';

/** Address of a job below a prefix; its id keeps its slashes. */
export interface JobRoute {
  Params: { '*': string };
  Querystring: Record<string, string | undefined>;
}

/** How long a page that follows waits for something new; shorter than proxies have patience. */
const WAIT_MS = 15_000;
const LOOK_MS = 150;
const MAX_WAITING = 200;
const MAX_LINES = 400;
const MAX_SEARCH_TEXT = 200;

const Count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).catch(0);

/** The trace for the page's script: its state, lines by number, a search; and as it is. */
export function registerTraceRoutes(app: FastifyInstance, { source, traces: reader }: WebParts): void {
  const { store } = source;
  let waiting = 0;

  app.get<JobRoute>('/data/trace/*', async (request): Promise<TraceState> => {
    const id = request.params['*'];
    const known = Count.parse(request.query['bytes']);
    if (request.query['wait'] !== undefined && waiting < MAX_WAITING) {
      waiting += 1;
      try {
        await untilGrown(id, known, goneSignal(request));
      } finally {
        waiting -= 1;
      }
    }
    return await reader.state(id);
  });

  app.get<JobRoute>('/data/lines/*', async (request) => {
    const count = Math.min(MAX_LINES, Count.parse(request.query['count']));
    const from = Count.parse(request.query['from']);
    return { from, lines: count === 0 ? [] : await reader.lines(request.params['*'], from, count) };
  });

  app.get<JobRoute>('/data/search/*', async (request) => {
    const text = (request.query['q'] ?? '').slice(0, MAX_SEARCH_TEXT);
    if (text === '') return { lines: [], more: false };
    return await reader.search(request.params['*'], text, goneSignal(request));
  });

  app.get<JobRoute>('/data/raw/*', async (request, reply) => {
    const bytes = await store.stream(jobKeys.trace(request.params['*']));
    if (bytes === undefined) return await reply.code(404).send({ message: 'This job has no trace (yet)' });
    // Plain text in a sandbox: whatever it holds, a browser shows it letter by letter.
    const headers = {
      'content-type': 'text/plain; charset=utf-8',
      'content-security-policy': "default-src 'none'; sandbox",
    };
    return await reply.headers(headers).send(bytes);
  });

  async function untilGrown(id: string, known: number, signal: AbortSignal): Promise<void> {
    for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline && !signal.aborted;) {
      if (((await store.size(jobKeys.trace(id))) ?? 0) > known) return;
      if ((await store.size(jobKeys.traceComplete(id))) !== undefined) return;
      await delay(Math.max(LOOK_MS, store.lookMs), undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Aborted when whoever asked has gone. */
function goneSignal(request: FastifyRequest): AbortSignal {
  const gone = new AbortController();
  request.raw.socket.once('close', () => gone.abort());
  return gone.signal;
}
