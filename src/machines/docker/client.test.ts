import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { createDockerClient } from './client.js';

const sockets = new Set<Socket>();
let close: () => void;

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  close();
});

/** @returns its address, for an engine that does with each connection what the test says */
async function engine(serve: (socket: Socket) => void, over: 'TCP' | 'a unix socket' = 'TCP'): Promise<string> {
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    serve(socket);
  });
  if (over === 'TCP') {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    close = () => server.close();
    return `tcp://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  }
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-client-'));
  const path = join(directory, 'engine.sock');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  close = () => {
    server.close();
    rmSync(directory, { recursive: true });
  };
  return `unix://${path}`;
}

/** Answers what is given, and then ends the connection as if all were said. */
function cut(answer: string): (socket: Socket) => void {
  return (socket) => socket.once('data', () => socket.end(answer));
}

function answer(status: string, headers: string, body: string): string {
  return `HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`;
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

describe.each(['TCP', 'a unix socket'] as const)('an answer over %s that ends too early', (over) => {
  it.each([
    ['after its headers', answer('200 OK', 'Content-Length: 100', '')],
    ['in its body', answer('200 OK', 'Content-Length: 100', '{"Version"')],
    ['before its last chunk', answer('200 OK', 'Transfer-Encoding: chunked', '2\r\n{}\r\n')],
    ['in the reason of a refusal', answer('500 Oh no', 'Content-Length: 100', '{"message"')],
  ])('%s, fails the call', async (_where, said) => {
    const docker = createDockerClient({ host: await engine(cut(said), over) });

    const outcome = await Promise.race([docker.version().catch((error: unknown) => error), delay(2_000, 'hangs')]);

    expect(outcome).toBeInstanceOf(Error);
    // An engine that has refused is another story.
    expect(outcome).not.toHaveProperty('statusCode');
  });

  it('fails whoever reads it where it is a stream', async () => {
    const said = answer('200 OK', 'Content-Length: 100', 'half a tar');
    const docker = createDockerClient({ host: await engine(cut(said), over) });
    const stream = await docker.getContainer('c').getArchive({ path: '/' });
    // Also when it is cut before it is read.
    await delay(20);

    await expect(buffer(stream)).rejects.toThrow();
  });
});

it('gives up an answer in the middle of which its connection carries nothing any more', async () => {
  const docker = createDockerClient(
    { host: await engine((socket) => void socket.write(answer('200 OK', 'Content-Length: 100', '{'))) },
    20,
  );

  const outcome = await Promise.race([docker.version().catch((error: unknown) => error), delay(2_000, 'hangs')]);

  expect(outcome).toBeInstanceOf(Error);
});

it('ends a call in the middle of its answer when it is aborted', async () => {
  const over = new AbortController();
  const host = await engine((socket) => {
    socket.write(answer('200 OK', 'Content-Length: 100', '{'));
    setTimeout(() => over.abort(), 20);
  });

  const call = createDockerClient({ host }).getContainer('c').inspect({ abortSignal: over.signal });

  await expect(call).rejects.toMatchObject({ name: 'AbortError' });
});

it('tells the status and the reason of a refusal', async () => {
  const docker = createDockerClient({
    host: await engine(cut(answer('409 Conflict', 'Content-Length: 22', '{"message":"is taken"}'))),
  });

  await expect(docker.createContainer({ name: 'c' })).rejects.toMatchObject({
    statusCode: 409,
    message: expect.stringContaining('is taken') as string,
  });
});

it('gives what is no JSON as bytes', async () => {
  const host = await engine(cut(answer('200 OK', 'Content-Length: 4', '\x01\x02ab')));

  const log = await createDockerClient({ host }).getContainer('c').logs({ follow: false, stdout: true });

  expect(log).toEqual(Buffer.from('\x01\x02ab'));
});
