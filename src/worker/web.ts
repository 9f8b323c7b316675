import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { createJobSource } from '../client/job-source.js';
import type { Config } from '../config/schema.js';
import type { Store } from '../store/store.js';
import { ListenError } from '../telemetry/listen.js';
import type { Logger } from '../telemetry/logger.js';
import { loadAssets } from '../web/assets.js';
import { startWebServer, type WebServer } from '../web/server.js';

const MIN_TOKEN_LENGTH = 16;
/** How soon the pages are there again when the worker that served them has ended. */
const TRY_AGAIN_MS = 5_000;

export interface WebPages {
  close(): Promise<void>;
}

/**
 * Serves the job pages beside the worker's work. Another worker on this machine may have the address: then the pages are its, and
 * this one's as soon as it is free. Jobs never wait for pages.
 * @throws Error when the configuration cannot work: no token where one is needed, an address that is not this machine's
 */
export async function startWebPages(options: {
  config: Config;
  client: Client;
  /** Of what the client reads. */
  codec: PayloadCodec;
  store: Store;
  logger: Logger;
  tryAgainMs?: number;
}): Promise<WebPages> {
  const { config, client, codec, store, logger, tryAgainMs = TRY_AGAIN_MS } = options;
  if (!config.web.enabled) return { close: () => Promise.resolve() };
  const { listenAddress, temporalUiUrl } = config.web;
  const start = () =>
    startWebServer({
      listenAddress,
      token,
      ...(temporalUiUrl === undefined
        ? {}
        : { temporalUi: { url: temporalUiUrl, namespace: config.temporal.namespace } }),
      source: createJobSource({ temporal: client, store, codec, address: config.temporal.address }),
      assets,
      logger,
    });
  const token = readToken(config.web.tokenFile);
  const assets = loadAssets();
  const stopped = new AbortController();
  let server = await ifFree(start);
  if (server !== undefined) logger.info({ web: `http://${server.address}` }, 'Job pages are served');
  else
    logger.warn(
      { listenAddress },
      'Another process has web.listenAddress: no job pages from this worker until it is free',
    );
  const later = server === undefined ? tryAgain() : Promise.resolve();

  async function tryAgain(): Promise<void> {
    while (server === undefined && (await pause(tryAgainMs, stopped.signal))) {
      server = await ifFree(start).catch((error: unknown) => {
        logger.warn({ error }, 'The job pages could not be served');
        return undefined;
      });
      if (server !== undefined) logger.info({ web: `http://${server.address}` }, 'Job pages are served');
    }
  }

  return {
    async close() {
      stopped.abort();
      await later;
      await server?.close();
    },
  };
}

async function ifFree(start: () => Promise<WebServer>): Promise<WebServer | undefined> {
  try {
    return await start();
  } catch (error) {
    if (error instanceof ListenError && error.taken) return undefined;
    throw error;
  }
}

/** @returns false when it was ended early */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return await delay(ms, true, { signal, ref: false }).catch(() => false);
}

function readToken(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  const token = readText(file).trim();
  if (token.length >= MIN_TOKEN_LENGTH) return token;
  throw new Error(
    `web.tokenFile: the token in ${file} has ${String(token.length)} characters and needs ${String(MIN_TOKEN_LENGTH)} or more: head -c 24 /dev/urandom | base64 >${file}`,
  );
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`web.tokenFile: ${file} cannot be read`, { cause });
  }
}
