import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import type { EngineSettings } from '../engine.js';

/**
 * How long a connection may carry nothing, by what it is for. One may die without a word (a firewall that forgets it, a host that is
 * gone), and then nothing else ends the call. Removing a large volume takes a while, and is harmless to ask for again.
 */
export const SILENCE_MS = { call: 120_000, pullOrLog: 600_000 };

/**
 * The engine's API; 1.41 is what Docker 20.10 speaks, and newer engines answer it too.
 * @param silenceMs a call that neither sends nor receives anything for so long fails; default: never
 */
export function createDockerClient(settings: EngineSettings['docker'], silenceMs?: number): Docker {
  const limit = silenceMs === undefined ? {} : { timeout: silenceMs };
  if (settings.host.startsWith('unix://')) {
    return new Docker({ socketPath: settings.host.slice('unix://'.length), ...limit });
  }
  const url = new URL(settings.host);
  const tls = settings.ca !== undefined || settings.cert !== undefined;
  // A variable, since dockerode's types do not know `agent`.
  const options = {
    host: url.hostname,
    port: Number(url.port === '' ? (tls ? 2376 : 2375) : url.port),
    protocol: tls ? ('https' as const) : ('http' as const),
    // A connection of its own for each call: one that was kept may be dead, and the call would find out too late.
    agent: plainlyShown(tls ? new HttpsAgent({ keepAlive: false }) : new HttpAgent({ keepAlive: false })),
    ...limit,
    ...(settings.ca === undefined ? {} : { ca: readFileSync(settings.ca) }),
    ...(settings.cert === undefined ? {} : { cert: readFileSync(settings.cert) }),
    ...(settings.key === undefined ? {} : { key: readFileSync(settings.key) }),
  };
  return new Docker(options);
}

/** docker-modem makes a text of all options of every call, for a debug log that is off: with all that hangs on an agent, seconds. */
function plainlyShown(agent: HttpAgent): HttpAgent {
  return Object.assign(agent, { [inspect.custom]: () => 'Agent' });
}
