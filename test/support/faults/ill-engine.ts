import { createServer, request } from 'node:http';

/** A front of the real engine that can be ill (it lists what is there, and every container that is to be made is a fault) or away. */
export interface IllEngine {
  host: string;
  setIll(ill: boolean): void;
  /** Answers nothing: connections are closed as they come. */
  setAway(away: boolean): void;
  close(): Promise<void>;
}

export async function startIllEngine(socketPath = '/var/run/docker.sock'): Promise<IllEngine> {
  let ill = false;
  let away = false;
  const server = createServer((incoming, outgoing) => {
    if (away) {
      incoming.destroy();
      return;
    }
    if (ill && incoming.method === 'POST' && incoming.url?.includes('/containers/create') === true) {
      incoming.resume();
      outgoing.writeHead(500, { 'content-type': 'application/json' }).end('{"message":"no space left on device"}');
      return;
    }
    const { method, url: path } = incoming;
    // Each hop has its own. At a connection that is to be closed, an engine that has answered is gone before a request's end is written: EPIPE.
    const headers = { ...incoming.headers, connection: 'keep-alive' };
    const onward = request({ socketPath, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  // As an engine, which closes no connection for being idle: a request that meets such an end looks as if there were no engine.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    host: `tcp://127.0.0.1:${String(port)}`,
    setIll: (value) => void (ill = value),
    setAway: (value) => void (away = value),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
