import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, until } from '../../test/support/processes.js';
import { parseConfig } from '../config/load.js';
import { createDirectoryStore } from '../store/directory-store.js';
import { silentLogger } from '../telemetry/logger.js';
import { startWebPages } from './web.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-pages-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function startPages(web: object) {
  return await startWebPages({
    config: parseConfig({ web }, 'test'),
    // Connects when it is first used, which these pages never do.
    client: new Client({ connection: Connection.lazy({ address: '127.0.0.1:1' }) }),
    codec: { encode: (payloads) => Promise.resolve(payloads), decode: (payloads) => Promise.resolve(payloads) },
    store: createDirectoryStore({ directory }),
    logger: silentLogger,
    tryAgainMs: 50,
  });
}

async function statusOf(url: string): Promise<number | undefined> {
  return await fetch(url, { redirect: 'manual' }).then(
    ({ status }) => status,
    () => undefined,
  );
}

async function occupy(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

describe('the pages of a worker', () => {
  it('do not stop it when their port is taken, and are there when it is free', async () => {
    const port = await freePort();
    const other = await occupy(port);
    const pages = await startPages({ listenAddress: `127.0.0.1:${String(port)}` });
    other.close();

    await until('the pages', async () => (await statusOf(`http://127.0.0.1:${String(port)}/usage`)) === 200);

    await pages.close();
    expect(await statusOf(`http://127.0.0.1:${String(port)}/usage`)).toBeUndefined();
  });

  it('end at once while they wait for their port', async () => {
    const port = await freePort();
    const other = await occupy(port);
    const pages = await startPages({ listenAddress: `127.0.0.1:${String(port)}` });

    await pages.close();

    other.close();
  });

  it('on any address ask for the token of the file', async () => {
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, 'a token of some length\n');
    const port = await freePort();
    const pages = await startPages({ listenAddress: `0.0.0.0:${String(port)}`, tokenFile });

    expect(await statusOf(`http://127.0.0.1:${String(port)}/usage`)).toBe(303);
    await pages.close();
  });

  it('are refused with a token that could be guessed, or none in the file’s place', async () => {
    const tokenFile = join(directory, 'short');
    writeFileSync(tokenFile, '123');

    await expect(startPages({ listenAddress: '0.0.0.0:1', tokenFile })).rejects.toThrow(
      /has 3 characters and needs 16 or more/,
    );
    await expect(startPages({ listenAddress: '0.0.0.0:1', tokenFile: join(directory, 'none') })).rejects.toThrow(
      /cannot be read/,
    );
  });
});
