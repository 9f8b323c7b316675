import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createDockerClient } from './client.js';
import { followLog, LogConnectionLost, type Patience } from './follow-log.js';

const NEVER = new AbortController().signal;
const PATIENCE = { silentMs: 10, maxSilentMs: 20, onItsWayMs: 20 };
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Behaviour {
  running?: boolean;
  /** The last line that the engine has. */
  last: () => string;
  /** What the connection that follows does. */
  follow: (answer: ServerResponse) => void;
}

/** An engine with one container, of which only the log counts. */
async function engine({ running = true, last, follow }: Behaviour, socket?: string) {
  const world = { questions: 0, followed: undefined as ServerResponse | undefined };
  const server = createServer((request, answer) => {
    const url = new URL(request.url ?? '', 'http://engine');
    if (url.pathname.endsWith('/json')) return void answer.end(JSON.stringify({ State: { Running: running } }));
    if (url.searchParams.get('follow') !== '1' && url.searchParams.get('follow') !== 'true') {
      world.questions += 1;
      return void answer.end(frame(last()));
    }
    world.followed = answer;
    follow(answer);
  });
  await new Promise<void>((resolve) =>
    socket === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(socket, resolve),
  );
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const host =
    socket === undefined ? `tcp://127.0.0.1:${String((server.address() as AddressInfo).port)}` : `unix://${socket}`;
  const docker = createDockerClient({ host });
  const container = docker.getContainer('x');
  return { world, container: { asked: container, listened: container } };
}

function frame(text: string): Buffer {
  if (text === '') return Buffer.alloc(0);
  const payload = Buffer.from(`2026-01-01T00:00:00.${text}Z ${text}\n`);
  const header = Buffer.alloc(8);
  header[0] = 1;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

async function read(
  container: Parameters<typeof followLog>[0],
  {
    given = [],
    patience = PATIENCE,
    signal = NEVER,
  }: { given?: string[]; patience?: Patience; signal?: AbortSignal } = {},
) {
  for await (const frames of followLog(container, signal, patience)) {
    given.push(...frames.map(({ bytes }) => bytes.toString().trim()));
  }
  return given;
}

describe('a log that is followed', () => {
  it('may be silent for as long as the engine has nothing newer', async () => {
    const { world, container } = await engine({
      last: () => {
        if (world.questions === 3) world.followed?.end(frame('2'));
        return '1';
      },
      follow: (answer) => answer.write(frame('1')),
    });

    expect(await read(container)).toEqual(['1', '2']);
    expect(world.questions).toBeGreaterThanOrEqual(3);
  });

  it('is lost when the engine has a line that does not come', async () => {
    const given: string[] = [];
    const { container } = await engine({ last: () => '2', follow: (answer) => answer.write(frame('1')) });

    await expect(read(container, { given })).rejects.toThrow(LogConnectionLost);

    expect(given).toEqual(['1']);
  });

  it('waits for a line that is on its way', async () => {
    const { world, container } = await engine({
      last: () => {
        setTimeout(() => world.followed?.end(frame('2')), 30);
        return '2';
      },
      follow: (answer) => answer.write(frame('1')),
    });

    expect(await read(container, { patience: { ...PATIENCE, onItsWayMs: 10_000 } })).toEqual(['1', '2']);
  });

  it('is lost when it does not even begin, or when its container has stopped and it does not end', async () => {
    const mute = await engine({ last: () => '1', follow: () => undefined });
    const stopped = await engine({
      running: false,
      last: () => '1',
      follow: (answer) => answer.write(frame('1')),
    });

    await expect(read(mute.container)).rejects.toThrow(LogConnectionLost);
    await expect(read(stopped.container)).rejects.toThrow(LogConnectionLost);
  });

  it('is lost when its connection is reset, and the engine hears no more of it', async () => {
    const { world, container } = await engine({
      last: () => '1',
      follow: (answer) => {
        answer.write(frame('1'));
        setTimeout(() => answer.destroy(), 5);
      },
    });

    await expect(read(container)).rejects.toThrow(LogConnectionLost);

    expect(world.followed?.destroyed).toBe(true);
  });

  it('that is left before its end does no harm to the process', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-engine-'));
    closers.push(() => rmSync(directory, { recursive: true }));
    const { container } = await engine(
      { last: () => '1', follow: (answer) => answer.end(frame('1')) },
      join(directory, 'engine.sock'),
    );

    // An error of a connection that is just put aside for the next call has no listener: it would end the process.
    for (let reading = 0; reading < 20; reading++) {
      for await (const frames of followLog(container, NEVER, PATIENCE)) {
        expect(frames).toHaveLength(1);
        break;
      }
      await setImmediate();
    }
  });

  it('ends with its signal, also while it is opened', async () => {
    const mute = await engine({ last: () => '', follow: () => undefined });
    const silent = await engine({ last: () => '1', follow: (answer) => answer.write(frame('1')) });

    for (const { container, world } of [mute, silent]) {
      const cut = new AbortController();
      const reading = read(container, { signal: cut.signal, patience: { ...PATIENCE, silentMs: 60_000 } });
      while (world.followed === undefined) await setImmediate();
      cut.abort(new Error('handed over'));

      await expect(reading).rejects.toThrow('handed over');
      await new Promise((resolve) => world.followed?.once('close', resolve));
    }
  });

  it('says what the engine refuses', async () => {
    const { container } = await engine({
      last: () => '',
      follow: (answer) => answer.writeHead(500).end('{"message":"no such driver"}'),
    });

    await expect(read(container)).rejects.toThrow('no such driver');
  });

  it('of a container that is gone is empty', async () => {
    const { container } = await engine({ last: () => '', follow: (answer) => answer.writeHead(404).end('{}') });

    expect(await read(container)).toEqual([]);
  });
});
