import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection, isGrpcServiceError } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { NativeConnection } from '@temporalio/worker';
import { connectionOptions } from '../client/connection.js';
import { UnreachableError } from '../client/errors.js';
import { readInstallation } from '../client/installation.js';
import type { Config } from '../config/schema.js';
import type { Installation } from '../machines/installation.js';
import type { Logger } from '../telemetry/logger.js';

/** Of one attempt. */
const CONNECT_TIMEOUT_MS = 10_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/** gRPC's own numbers: deadline exceeded, resource exhausted, aborted, internal, unavailable. A server that comes up says all of them. */
const PASSING: readonly number[] = [4, 8, 10, 13, 14];

export interface TemporalAccess {
  /** For workers. */
  connection: NativeConnection;
  /** For questions. */
  clientConnection: Connection;
  client: Client;
  installation: Installation;
}

/**
 * Both connections to Temporal, and who we are there.
 * @throws UnreachableError when it does not answer; any other error is for a person
 */
export async function connectTemporal(
  config: Config,
  dataConverter: DataConverter,
  connectTimeout: number = CONNECT_TIMEOUT_MS,
): Promise<TemporalAccess> {
  const options = connectionOptions(config.temporal);
  const clientConnection = await reached(Connection.connect({ ...options, connectTimeout }), config);
  try {
    const { namespace } = config.temporal;
    const client = new Client({ connection: clientConnection, namespace, dataConverter });
    const installation = await readInstallation(client, config);
    const connection = await reached(NativeConnection.connect(options), config);
    return { connection, clientConnection, client, installation };
  } catch (error) {
    await clientConnection.close();
    throw error;
  }
}

async function reached<T>(connecting: Promise<T>, { temporal }: Config): Promise<T> {
  return await connecting.catch((cause: unknown) => {
    const code = codeOf(cause);
    if (code !== undefined && !PASSING.includes(code)) throw cause;
    throw new UnreachableError(`Temporal at ${temporal.address} does not answer`, { cause });
  });
}

/**
 * A part of a worker's start that Temporal has to answer for. A worker may be started before Temporal, or while that is away: it waits,
 * for whatever runs on its engines waits for it.
 * @throws what waiting does not change
 */
export async function untilTemporalAnswers<T>(
  work: () => Promise<T>,
  { logger, firstPauseMs = FIRST_PAUSE_MS }: { logger: Logger; firstPauseMs?: number },
): Promise<T> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      if (!mayPass(error)) throw error;
      logger.warn(
        { error: String(error), cause: causeOf(error), againInMs: pauseMs },
        'The worker cannot start without Temporal; it is asked again',
      );
      await delay(pauseMs);
    }
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof UnreachableError) return true;
  const code = codeOf(error);
  return code !== undefined && PASSING.includes(code);
}

function codeOf(error: unknown): number | undefined {
  if (isGrpcServiceError(error)) return error.code;
  return error instanceof Error && isGrpcServiceError(error.cause) ? error.cause.code : undefined;
}

function causeOf(error: unknown): string | undefined {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined;
}
