import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';

/** A form with one file, its length known beforehand, its bytes read as they are sent. */
export function singleFileForm(file: { name: string; bytes: number; content: Readable }): {
  headers: Record<string, string>;
  body: Readable;
} {
  const boundary = `holdfast-${randomUUID()}`;
  const head = Buffer.from(
    `--${boundary}\r\n` +
      `Content-Disposition: form-data; name="file"; filename="${escapeName(file.name)}"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n',
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  async function* parts() {
    yield head;
    yield* file.content as AsyncIterable<Buffer>;
    yield tail;
  }
  return {
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(head.length + file.bytes + tail.length),
    },
    body: Readable.from(parts(), { objectMode: false }),
  };
}

/** As browsers do it (HTML, "multipart form data"): what could end the header is escaped. */
function escapeName(name: string): string {
  return name.replace(/[\r\n"]/g, (char) => encodeURIComponent(char));
}
