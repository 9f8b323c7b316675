import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { promisify } from 'node:util';
import { fromBuffer, type Entry, type ZipFile } from 'yauzl';
import type { StoredArtifact } from '../coordinator/job.js';

/** Members of a ZIP and their content as text, in order; directories end in `/`. */
export async function unpackZip(bytes: Buffer): Promise<Map<string, string>> {
  const zip = await promisify(openBuffer)(bytes);
  const members = new Map<string, string>();
  await new Promise<void>((resolve, reject) => {
    zip.on('entry', (entry: Entry) => {
      zip.openReadStream(entry, (error, content) => {
        if (error) return reject(error);
        buffer(content).then((read) => {
          members.set(entry.fileName, read.toString('utf8'));
          zip.readEntry();
        }, reject);
      });
    });
    zip.once('end', resolve);
    zip.once('error', reject);
    zip.readEntry();
  });
  return members;
}

function openBuffer(bytes: Buffer, done: (error: Error | null, zip: ZipFile) => void): void {
  fromBuffer(bytes, { lazyEntries: true, strictFileNames: false }, done);
}

/** Content of what is gzipped, or is as it is. @throws when what is called gzip is none */
export function unzipped({ format, bytes }: StoredArtifact): string {
  return (format === 'gzip' ? gunzipSync(bytes) : bytes).toString('utf8');
}
