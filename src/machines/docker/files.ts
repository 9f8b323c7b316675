import { addAbortSignal, type Readable } from 'node:stream';
import type Docker from 'dockerode';
import { extract as untar } from 'tar-stream';
import { isNotFound } from './errors.js';

/** What a container's own root makes of a marker must not fill the worker's memory. */
const MAX_SMALL_BYTES = 64 * 1024;

/** Small files of a container by name relative to the directory, cut at 64 KiB; undefined when there is no such directory. */
export async function readSmallFiles(
  container: Docker.Container,
  directory: string,
  wanted: readonly string[],
): Promise<Map<string, string> | undefined> {
  const stream = await openArchive(container, directory);
  if (stream === undefined) return undefined;
  const files = new Map<string, string>();
  const tar = stream.pipe(untar());
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
 */
export async function openArchive(
  container: Docker.Container,
  path: string,
  signal?: AbortSignal,
): Promise<Readable | undefined> {
  try {
    // dockerode types the answer as the older stream interface; it is an http.IncomingMessage.
    const archive = (await container.getArchive({ path })) as Readable;
    return signal === undefined ? archive : addAbortSignal(signal, archive);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
