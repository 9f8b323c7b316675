import { setTimeout as delay } from 'node:timers/promises';
import { ListenError } from '../telemetry/listen.js';
import type { Logger } from '../telemetry/logger.js';

/** A server at an address of the configuration. */
export interface Served {
  /** Where it listens. */
  address: string;
  close(): Promise<void>;
}

/**
 * Starts a server whose address another worker of this machine may have, the one that this one is to replace, say: then it is started as
 * soon as the address is free. Jobs wait for no server of ours.
 * @param options.what for the log, e.g. `the job pages`
 * @param options.key the configuration's name for the address
 * @returns where it listens, if it does so now; closes it, whatever has become of it
 * @throws what `start` throws, but for an address that is taken
 */
export async function startWhenFree(options: {
  start: () => Promise<Served>;
  what: string;
  key: string;
  tryAgainMs: number;
  logger: Logger;
}): Promise<Pick<Served, 'close'> & Partial<Served>> {
  const { start, what, key, tryAgainMs, logger } = options;
  const stopped = new AbortController();
  let server = await ifFree(start);
  if (server === undefined)
    logger.warn({ what, key }, `Another process has ${key}: this worker does not serve ${what} until it is free`);
  else tellServed(server);
  const later = server === undefined ? tryAgain() : Promise.resolve();

  function tellServed({ address }: Served): void {
    logger.info({ what, address: `http://${address}` }, `This worker serves ${what}`);
  }

  async function tryAgain(): Promise<void> {
    while (server === undefined && (await pause(tryAgainMs, stopped.signal))) {
      server = await ifFree(start).catch((error: unknown) => {
        logger.warn({ what, error }, 'An address of the configuration could not be served');
        return undefined;
      });
      if (server !== undefined) tellServed(server);
    }
  }

  return {
    ...(server === undefined ? {} : { address: server.address }),
    async close() {
      stopped.abort();
      await later;
      await server?.close();
    },
  };
}

async function ifFree(start: () => Promise<Served>): Promise<Served | undefined> {
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
