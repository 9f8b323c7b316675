import { createServer, type AddressInfo, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import { createDockerClient } from './client.js';

const sockets = new Set<Socket>();
let close: () => void;

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  close();
});

/** @returns its address, for an engine that does with each connection what the test says */
async function engine(serve: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  close = () => server.close();
  return `tcp://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

it('gives up a call whose connection carries nothing any more', async () => {
  const docker = createDockerClient({ host: await engine(() => undefined) }, 20);

  await expect(docker.version()).rejects.toThrow('socket hang up');
});

it('asks on a connection of its own each time, since one that was kept may be dead', async () => {
  const docker = createDockerClient({
    host: await engine((socket) => {
      // Keeps the connection, and answers once on it.
      socket.once('data', () =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}'),
      );
    }),
  });

  await docker.version();
  await docker.version();

  expect(sockets.size).toBe(2);
});

it('hands no agent to its client whose connections are rendered at each call', async () => {
  const docker = createDockerClient({ host: await engine(() => undefined) }, 1_000);
  void docker.version().catch(() => undefined);

  const shown = inspect(docker.modem, { showHidden: true, depth: null });

  expect(shown).not.toContain('Socket {');
});
