import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../processes.js';

/** A way between two processes that a test may cut, or hold up without a word. */
export interface Proxy {
  readonly port: number;
  /** Connections are refused and those that are open are reset. */
  cut(): Promise<void>;
  /** Connections stay open and carry nothing, as behind a firewall that drops packets. */
  stall(): void;
  /** The connections that are open carry nothing any more and are never closed; new ones are carried. */
  forget(): void;
  /** Requests that begin so (`DELETE /containers/`) are not carried, and nothing after them on their connection. */
  hold(beginning: string): void;
  restore(): Promise<void>;
  close(): Promise<void>;
}

export type ProxyTarget = { path: string } | { host: string; port: number };

/** @param port one of its own, which nobody takes while the way is cut (from the range of outgoing connections somebody might) */
export async function startProxy(target: ProxyTarget, port?: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const forgotten = new Set<Socket>();
  let stalled = false;
  let held: string | undefined;
  /** Connections that wait with what they have not carried. */
  const holding = new Map<Socket, () => void>();
  let server: Server | undefined;

  function join(client: Socket): void {
    const remote = 'path' in target ? connect(target.path) : connect(target.port, target.host);
    for (const [from, to] of [
      [client, remote],
      [remote, client],
    ] as const) {
      sockets.add(from);
      if (stalled) from.pause();
      from.on('data', (chunk: Buffer) => {
        if (from === client && held !== undefined && chunk.toString('latin1', 0, held.length) === held) {
          from.pause();
          holding.set(from, () => to.write(chunk));
          return;
        }
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => {
        if (!stalled && !holding.has(from)) from.resume();
      });
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        holding.delete(from);
        to.destroy();
      });
    }
  }

  async function listen(on: number): Promise<number> {
    const created = createServer({ allowHalfOpen: true }, join);
    await new Promise<void>((resolve, reject) => {
      created.once('error', reject);
      created.listen(on, '127.0.0.1', resolve);
    });
    server = created;
    const address = created.address();
    return typeof address === 'object' && address !== null ? address.port : on;
  }

  async function cut(): Promise<void> {
    const listening = server;
    server = undefined;
    // The side towards a Unix socket has no reset.
    for (const socket of sockets) {
      if (socket.remoteAddress === undefined) socket.destroy();
      else socket.resetAndDestroy();
    }
    if (listening === undefined) return;
    const closed = new Promise((resolve) => listening.close(resolve));
    // It would wait for those that are forgotten, which are never closed.
    if (forgotten.size === 0) await closed;
  }

  const bound = await listen(port ?? (await freePort()));
  return {
    port: bound,
    cut,
    stall() {
      stalled = true;
      for (const socket of sockets) socket.pause();
    },
    forget() {
      for (const socket of sockets) {
        socket.removeAllListeners('data').removeAllListeners('end');
        socket.on('data', () => undefined);
        forgotten.add(socket);
        sockets.delete(socket);
      }
    },
    hold(beginning) {
      held = beginning;
    },
    async restore() {
      stalled = false;
      held = undefined;
      for (const carry of holding.values()) carry();
      holding.clear();
      for (const socket of sockets) socket.resume();
      if (server === undefined) await listen(bound);
    },
    async close() {
      for (const socket of forgotten) socket.destroy();
      await cut();
    },
  };
}
