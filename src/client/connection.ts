import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from '@temporalio/client';
import type { Config } from '../config/schema.js';

type TLSConfig = Exclude<NonNullable<ConnectionOptions['tls']>, boolean>;

export interface TemporalConnectionOptions {
  address: string;
  tls?: TLSConfig | boolean;
  apiKey?: string;
}

/** How a client or a worker reaches Temporal. */
export function connectionOptions(temporal: Config['temporal']): TemporalConnectionOptions {
  const { tls, apiKeyFile } = temporal;
  return {
    address: temporal.address,
    ...(tls === undefined ? {} : { tls: toTls(tls) }),
    ...(apiKeyFile === undefined ? {} : { apiKey: readFileSync(apiKeyFile, 'utf8').trim() }),
  };
}

function toTls(tls: NonNullable<Config['temporal']['tls']>): TLSConfig {
  return {
    ...(tls.serverName === undefined ? {} : { serverNameOverride: tls.serverName }),
    ...(tls.ca === undefined ? {} : { serverRootCACertificate: readFileSync(tls.ca) }),
    ...(tls.cert === undefined || tls.key === undefined
      ? {}
      : { clientCertPair: { crt: readFileSync(tls.cert), key: readFileSync(tls.key) } }),
  };
}
