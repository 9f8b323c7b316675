import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range from which the system takes the ports of outgoing connections (Linux: from 32768): a port from there may be
 * another's before the process that it was chosen for has come up.
 */
const PORTS = { first: 20_000, end: 32_000 };
/** So many taken ones in a row mean something else than bad luck. */
const ATTEMPTS = 1000;

/**
 * A port on 127.0.0.1 where nobody listens.
 * @param except chosen before, where nobody listens yet
 * @throws Error when none is found
 */
export async function freePort(except: ReadonlySet<number> = new Set()): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(PORTS.first, PORTS.end);
    if (!except.has(port) && (await isPortFree(port))) return port;
  }
  throw new Error(`No free port between ${String(PORTS.first)} and ${String(PORTS.end)} on 127.0.0.1`);
}

/** Whether one may listen there, on 127.0.0.1. */
export async function isPortFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
