import { addAbortSignal, pipeline, type Readable } from 'node:stream';
import type Docker from 'dockerode';
import { extract as untar } from 'tar-stream';
import { MachineError } from '../engine.js';
import { isNotFound } from './errors.js';
import { ANSWER_MS, inspect } from './inspect.js';

/** What a container's own root makes of a marker must not fill the worker's memory. */
const MAX_SMALL_BYTES = 64 * 1024;

/**
 * Small files of a container by name relative to the directory, cut at 64 KiB; undefined when there is no such directory.
 * @throws when the engine's answer breaks off, or nothing more of it comes for the time given
 */
export async function readSmallFiles(
  container: Docker.Container,
  directory: string,
  wanted: readonly string[],
  silenceMs = ANSWER_MS,
): Promise<Map<string, string> | undefined> {
  const stream = await open(container, directory);
  if (stream === undefined) return undefined;
  const silence = setTimeout(() => {
    stream.destroy(new Error(`the engine sent nothing for ${String(silenceMs / 1000)} s`));
  }, silenceMs);
  try {
    return await unpackSmallFiles(
      stream.on('data', () => silence.refresh()),
      wanted,
    );
  } finally {
    clearTimeout(silence);
  }
}

async function unpackSmallFiles(archive: Readable, wanted: readonly string[]): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const tar = untar();
  // A pipe would not tell the reader that its source has broken off. What went wrong is thrown where the entries are read.
  pipeline(archive, tar, () => undefined);
  for await (const entry of tar) {
    const name = entry.header.name.slice(entry.header.name.indexOf('/') + 1);
    if (wanted.includes(name)) {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        if (bytes < MAX_SMALL_BYTES) chunks.push(chunk);
        bytes += chunk.length;
      }
      files.set(name, Buffer.concat(chunks).subarray(0, MAX_SMALL_BYTES).toString('utf8'));
    } else {
      entry.resume();
    }
  }
  return files;
}

/**
 * A tar stream of a path; undefined when there is no such path. Whoever does not read it to its end must destroy it: the engine
 * holds the container until then.
 * @throws MachineError MACHINE_GONE when there is no such container: what it held is lost, not absent
 */
export async function openArchive(
  container: Docker.Container,
  path: string,
  signal?: AbortSignal,
): Promise<Readable | undefined> {
  const archive = await open(container, path, signal);
  if (archive === undefined) await assertThere(container, signal);
  return archive;
}

/** The engine answers alike for a path and for a container that it does not have, and engines differ in the words. */
export async function assertThere(container: Docker.Container, signal?: AbortSignal): Promise<void> {
  if ((await inspect(container, signal)) !== undefined) return;
  const message = 'its container is gone';
  throw new MachineError('MACHINE_GONE', message, { retryable: false, traceMessage: message });
}

async function open(container: Docker.Container, path: string, signal?: AbortSignal): Promise<Readable | undefined> {
  try {
    // dockerode types the answer as the older stream interface; it is an http.IncomingMessage.
    const archive = (await container.getArchive({ path })) as Readable;
    return signal === undefined ? archive : addAbortSignal(signal, archive);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
