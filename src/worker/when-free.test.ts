import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { freePort, until } from '../../test/support/processes.js';
import { fastify } from 'fastify';
import { listen, ListenError } from '../telemetry/listen.js';
import { silentLogger } from '../telemetry/logger.js';
import { startWhenFree } from './when-free.js';

function serve(listenAddress: string) {
  const start = async () => {
    const app = fastify();
    app.get('/', () => 'ours');
    return { address: await listen(app, 'it', listenAddress), close: () => app.close() };
  };
  return startWhenFree({ start, what: 'it', key: 'it', tryAgainMs: 20, logger: silentLogger });
}

async function answerAt(address: string): Promise<string | undefined> {
  return await fetch(`http://${address}`).then(
    (response) => response.text(),
    () => undefined,
  );
}

it('a worker that is started beside the one that it replaces serves its addresses when that one has ended', async () => {
  const address = `127.0.0.1:${String(await freePort())}`;
  const old = await serve(address);
  const next = await serve(address);

  expect([old.address, next.address]).toEqual([address, undefined]);
  await old.close();
  await until('the next one', async () => (await answerAt(address)) === 'ours');

  await next.close();
  expect(await answerAt(address)).toBeUndefined();
});

it('a worker that is stopped while it waits for an address ends at once, and takes it no more', async () => {
  const address = `127.0.0.1:${String(await freePort())}`;
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(Number(address.split(':')[1]), '127.0.0.1', resolve));
  const waiting = await serve(address);

  await waiting.close();
  await new Promise((resolve) => other.close(resolve));
  expect(await answerAt(address)).toBeUndefined();
});

it('an address that is not of this machine is a mistake', async () => {
  await expect(serve('203.0.113.7:9252')).rejects.toThrow(ListenError);
});
