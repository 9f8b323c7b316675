import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { answered, inspect } from './inspect.js';
import { isNotFound, statusOf } from './errors.js';
import { createFrameReader, type LogFrame } from './step-log.js';

/** A container, by two clients of its engine. */
export interface LoggingContainer {
  /** Its calls may be silent for long. */
  listened: Docker.Container;
  /** Its calls are answered soon. */
  asked: Docker.Container;
}

export interface Patience {
  /** After so long a silence the engine is asked whether there is more; after each further one later. */
  silentMs: number;
  /** At the latest after this. */
  maxSilentMs: number;
  /** What the engine knows of may be on its way for so long. */
  onItsWayMs: number;
}

export const PATIENCE: Patience = { silentMs: 4_000, maxSilentMs: 16_000, onItsWayMs: 4_000 };

/** The connection carries no more of the log, whatever has become of the container. */
export class LogConnectionLost extends Error {
  override name = 'LogConnectionLost';
}

/**
 * A container's log as it grows. A connection may die without a word (a firewall that forgets it, a host that is gone), and a silent
 * script looks the same; so a silence is compared with the last line that the engine itself has.
 * @throws LogConnectionLost; or what the engine answers to the questions
 */
export async function* followLog(
  container: LoggingContainer,
  signal: AbortSignal,
  patience: Patience = PATIENCE,
): AsyncGenerator<LogFrame[], void, undefined> {
  const over = new AbortController();
  const frames = createFrameReader();
  let newest: string | undefined;
  let log: Readable | undefined;

  async function orLost<T>(coming: Promise<T>): Promise<T> {
    let { silentMs } = patience;
    while (!(await comesWithin(coming, silentMs))) {
      if ((await isBehind(container.asked, newest, signal)) && !(await comesWithin(coming, patience.onItsWayMs))) {
        throw new LogConnectionLost('the connection that carries the log has died');
      }
      silentMs = Math.min(silentMs * 2, patience.maxSilentMs);
    }
    return await coming.catch((error: unknown) => {
      signal.throwIfAborted();
      if (statusOf(error) !== undefined) throw error;
      throw new LogConnectionLost('the connection that carries the log is broken', { cause: error });
    });
  }

  try {
    log = await orLost(openLog(container.listened, signal, over.signal));
    const chunks = log[Symbol.asyncIterator]() as AsyncIterableIterator<Buffer>;
    signal.throwIfAborted();
    signal.addEventListener('abort', close);
    for (;;) {
      const chunk = await orLost(chunks.next());
      if (chunk.done === true) return;
      const more = frames.push(chunk.value);
      newest = timeOf(more) ?? newest;
      yield more;
    }
  } finally {
    signal.removeEventListener('abort', close);
    if (log === undefined) over.abort();
    else close();
  }

  function close(): void {
    log?.destroy();
  }
}

/** The log of a container that has stopped would have ended. */
async function isBehind(
  container: Docker.Container,
  newest: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const info = await inspect(container, signal);
  if (info?.State.Running !== true) return true;
  const options = { follow: false, stdout: true, stderr: true, timestamps: true, tail: 1 } as const;
  const last = await answered((abortSignal) => container.logs({ ...options, abortSignal }), signal);
  return timeOf(createFrameReader().push(last)) !== newest;
}

function timeOf(frames: LogFrame[]): string | undefined {
  return frames.at(-1)?.time.toString('latin1');
}

/** Whether it is settled by then, in whatever way. Cheap: it is asked for every chunk of a log. */
function comesWithin(coming: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    const came = () => {
      clearTimeout(timer);
      resolve(true);
    };
    coming.then(came, came);
  });
}

/**
 * `follow` also when the container has stopped: such a log just ends, and dockerode does not hold it in memory as a whole.
 * @param signals end the opening only. Node 20 aborts a request by an error of its connection, also when the answer has come and is
 *   not read to its end; then the connection has just been put aside for the next call, nobody listens, and the process ends.
 */
async function openLog(container: Docker.Container, ...signals: AbortSignal[]): Promise<Readable> {
  const opening = new AbortController();
  const cut = () => opening.abort();
  for (const signal of signals) {
    if (signal.aborted) cut();
    signal.addEventListener('abort', cut);
  }
  const options = { follow: true, stdout: true, stderr: true, timestamps: true, abortSignal: opening.signal } as const;
  try {
    // dockerode types the answer as the older stream interface; it is an http.IncomingMessage.
    return (await container.logs(options)) as Readable;
  } catch (error) {
    if (isNotFound(error)) return Readable.from([]);
    throw error;
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', cut);
  }
}
