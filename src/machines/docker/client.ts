import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { addAbortSignal, type Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
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
    return hearingCuts(new Docker({ socketPath: settings.host.slice('unix://'.length), ...limit }));
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
  return hearingCuts(new Docker(options));
}

/** What each call of dockerode goes through; dockerode does not type its modem. */
interface Modem {
  dial(call: ModemCall, done: (error: unknown, answer: unknown) => void): void;
}

interface ModemCall {
  isStream?: boolean;
  abortSignal?: AbortSignal;
}

/**
 * The modem waits for the `end` of an answer and for an error of its request. An answer that is cut (its connection ends, or is silent for
 * too long, after the headers) has neither, and the call would hang for ever. Whoever reads a stream hears of the cut; so each answer is
 * asked for as a stream, which the modem offers anyway, and read here.
 */
function hearingCuts(docker: Docker): Docker {
  const modem = docker.modem as Modem;
  const dial = modem.dial.bind(modem);
  modem.dial = (call, done) => {
    if (call.isStream === true) {
      dial(call, done);
      return;
    }
    dial({ ...call, isStream: true }, (error, answer) => {
      if (error !== null) done(error, null);
      else
        readWhole(answer as Readable, call.abortSignal).then(
          (whole) => done(null, whole),
          (cut: unknown) => done(cut, null),
        );
    });
  };
  return docker;
}

/** @returns what the modem makes of an answer: what the JSON says, or the bytes of what is none, or says nothing */
async function readWhole(answer: Readable, signal: AbortSignal | undefined): Promise<unknown> {
  if (signal !== undefined) addAbortSignal(signal, answer);
  let bytes: Buffer;
  try {
    bytes = await buffer(answer);
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new Error("the engine's answer broke off", { cause: error });
  }
  try {
    const said: unknown = JSON.parse(bytes.toString());
    return said === null || said === '' || said === 0 || said === false ? bytes : said;
  } catch {
    return bytes;
  }
}

/** docker-modem makes a text of all options of every call, for a debug log that is off: with all that hangs on an agent, seconds. */
function plainlyShown(agent: HttpAgent): HttpAgent {
  return Object.assign(agent, { [inspect.custom]: () => 'Agent' });
}
