import { isGrpcServiceError } from '@temporalio/client';
import { UnreachableError } from './errors.js';

/** Runs a call to Temporal. @throws UnreachableError when the server is away; any other error as it is */
export async function guarded<T>(work: () => Promise<T>, address: string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw unreachable(error, address);
  }
}

// gRPC status codes: the server is away, or does not answer in time.
const UNAVAILABLE = 14;
const DEADLINE_EXCEEDED = 4;

export function unreachable(error: unknown, address: string): unknown {
  const cause = error instanceof Error && !isGrpcServiceError(error) ? error.cause : error;
  const code: number | undefined = isGrpcServiceError(cause) ? cause.code : undefined;
  if (code !== UNAVAILABLE && code !== DEADLINE_EXCEEDED) return error;
  return new UnreachableError(`Temporal at ${address} does not answer`, { cause: error });
}
