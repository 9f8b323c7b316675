import type { FastifyInstance } from 'fastify';

const LISTEN_ERRORS: Record<string, string> = {
  EADDRINUSE: 'another process listens there: stop it or choose another port',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'this port needs privileges: choose one above 1023',
  ENOTFOUND: 'no such host name',
};

/** An address of the configuration cannot be listened on. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  /** Another process has it, which may end. */
  readonly taken: boolean;

  constructor(message: string, taken: boolean, cause: unknown) {
    super(message, { cause });
    this.taken = taken;
  }
}

/**
 * @param key the configuration's, for the message
 * @returns where it listens: `host:port`
 * @throws ListenError
 */
export async function listen(app: FastifyInstance, key: string, listenAddress: string): Promise<string> {
  const { host, port } = splitAddress(listenAddress);
  try {
    await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const message = `${key}: cannot listen on ${listenAddress} (${LISTEN_ERRORS[code] ?? code})`;
    throw new ListenError(message, code === 'EADDRINUSE', cause);
  }
  const bound = app.server.address();
  if (typeof bound !== 'object' || bound === null) return listenAddress;
  return `${host.includes(':') ? `[${host}]` : host}:${String(bound.port)}`;
}

/** @param address `host:port`, an IPv6 host in brackets */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
