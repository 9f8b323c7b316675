import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type FrontMode =
  /** To the real Prometheus behind it. */
  | 'pass'
  /** The real answer, of which half comes before the connection breaks. */
  | 'half'
  /** Takes the question and does not answer. */
  | 'hang'
  /** Answers with this status, as Prometheus words its errors. */
  | number;

/** What stands between us and a real Prometheus: counts, and spoils what it is told to. */
export interface Front {
  readonly url: string;
  mode: FrontMode;
  /** The address behind it. */
  target: string;
  /** Questions that were open at once, at most; all questions; the headers of the last one. */
  readonly seen: { mostAtOnce: number; count: number; headers: IncomingMessage['headers'] };
  /** Headers without which it answers 401, as a tenant's gateway does. */
  requireHeaders: Record<string, string>;
  close(): Promise<void>;
}

export async function startFront(target: string): Promise<Front> {
  let open = 0;
  const server = createServer((request, response) => {
    open += 1;
    front.seen.count += 1;
    front.seen.mostAtOnce = Math.max(front.seen.mostAtOnce, open);
    front.seen.headers = request.headers;
    response.once('close', () => (open -= 1));
    answer(request, response);
  });

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const { mode } = front;
    const missing = Object.entries(front.requireHeaders).some(([name, value]) => request.headers[name] !== value);
    if (missing) return fail(response, 401, 'no such tenant');
    if (typeof mode === 'number') return fail(response, mode, `told to answer ${String(mode)}`);
    if (mode === 'hang') return void request.resume();
    const headers = { ...request.headers };
    delete headers.host;
    const passed = httpRequest(
      new URL(request.url ?? '/', front.target),
      { method: request.method, headers },
      (real) => {
        response.writeHead(real.statusCode ?? 502, real.headers);
        if (mode === 'pass') return void real.pipe(response);
        real.once('data', (chunk: Buffer) => {
          response.write(chunk.subarray(0, Math.max(1, Math.floor(chunk.length / 2))));
          setTimeout(() => response.socket?.destroy(), 20);
        });
      },
    );
    passed.once('error', () => response.socket?.destroy()); // it is down: so are we
    request.pipe(passed);
  }

  const front: Front = {
    url: '',
    mode: 'pass',
    target,
    seen: { mostAtOnce: 0, count: 0, headers: {} },
    requireHeaders: {},
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(front, { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}` });
}

function fail(response: ServerResponse, status: number, error: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ status: 'error', errorType: 'execution', error }));
}
