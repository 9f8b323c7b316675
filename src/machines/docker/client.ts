import { readFileSync } from 'node:fs';
import Docker from 'dockerode';
import type { EngineSettings } from '../engine.js';

/** The engine's API; 1.41 is what Docker 20.10 speaks, and newer engines answer it too. */
export function createDockerClient(settings: EngineSettings['docker']): Docker {
  if (settings.host.startsWith('unix://')) return new Docker({ socketPath: settings.host.slice('unix://'.length) });
  const url = new URL(settings.host);
  const tls = settings.ca !== undefined || settings.cert !== undefined;
  return new Docker({
    host: url.hostname,
    port: Number(url.port === '' ? (tls ? 2376 : 2375) : url.port),
    protocol: tls ? 'https' : 'http',
    ...(settings.ca === undefined ? {} : { ca: readFileSync(settings.ca) }),
    ...(settings.cert === undefined ? {} : { cert: readFileSync(settings.cert) }),
    ...(settings.key === undefined ? {} : { key: readFileSync(settings.key) }),
  });
}
