import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export type StandInAnswer =
  | { status: number; headers?: Record<string, string>; body?: string | Buffer }
  /** The connection is cut: before an answer, or in the middle of one. */
  | 'reset'
  | 'half'
  | 'hang';

/** An HTTP server that answers as the test says. Only for what a real coordinator would be too much for. */
export interface StandIn {
  url: string;
  seen: SeenRequest[];
  close(): Promise<void>;
}

export async function startStandIn(
  answer: (request: SeenRequest) => StandInAnswer | Promise<StandInAnswer>,
): Promise<StandIn> {
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://stand-in');
      const got: SeenRequest = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: Buffer.concat(chunks),
      };
      seen.push(got);
      void Promise.resolve(answer(got)).then((told) => {
        if (told === 'hang') return;
        if (told === 'reset') {
          request.socket.destroy();
          return;
        }
        if (told === 'half') {
          response.writeHead(200, { 'content-length': '1000' });
          response.write('half of it');
          setTimeout(() => request.socket.destroy(), 10);
          return;
        }
        response.writeHead(told.status, told.headers);
        response.end(told.body);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
