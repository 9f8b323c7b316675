import { isGrpcServiceError } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { ConfigError } from '../config/load.js';
import { UnreachableError } from './errors.js';

/** Runs a call to Temporal. @throws UnreachableError when the server is away, ConfigError when the namespace is wrong; any other error as it is */
export async function guarded<T>(work: () => Promise<T>, address: string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw unreachable(error, address);
  }
}

// gRPC status codes: there is no such thing, the server is away, or does not answer in time.
const NOT_FOUND = 5;
const UNAVAILABLE = 14;
const DEADLINE_EXCEEDED = 4;

export function unreachable(error: unknown, address: string): unknown {
  const cause = error instanceof Error && !isGrpcServiceError(error) ? error.cause : error;
  const code: number | undefined = isGrpcServiceError(cause) ? cause.code : undefined;
  if (error instanceof NamespaceNotFoundError || (code === NOT_FOUND && /^Namespace /.test(detailsOf(cause))))
    return new ConfigError(
      `Temporal at ${address} does not know the namespace of temporal.namespace (${detailsOf(cause) || messageOf(error)}): correct it, or make it with "temporal operator namespace create"`,
      { cause: error },
    );
  if (code !== UNAVAILABLE && code !== DEADLINE_EXCEEDED) return error;
  return new UnreachableError(`Temporal at ${address} does not answer`, { cause: error });
}

function detailsOf(cause: unknown): string {
  return isGrpcServiceError(cause) ? cause.details : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
