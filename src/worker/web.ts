import { readFileSync } from 'node:fs';
import type { Client } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { createJobSource } from '../client/job-source.js';
import type { Config } from '../config/schema.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import { loadAssets } from '../web/assets.js';
import { startWebServer } from '../web/server.js';
import { startWhenFree } from './when-free.js';

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
  return await startWhenFree({ start, what: 'the job pages', key: 'web.listenAddress', tryAgainMs, logger });
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
