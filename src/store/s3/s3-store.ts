import { createHash, randomBytes } from 'node:crypto';
import { Readable, Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { keyOfSegments, segmentsOf } from '../segments.js';
import { StoreError, type Store, type StoredObject } from '../store.js';
import { cover, endOf, parsePiece, pieceName, piecesPrefix, withoutPiece, type Piece } from './pieces.js';
import { isAbsent, isBeyondEnd, toStoreError } from './s3-errors.js';

/** Each look and each write is a request that somebody pays for; the trace stays live within a second. */
const LOOK_MS = 500;
const WRITE_MS = 250;
const DELETES_AT_ONCE = 16;

/**
 * A store in a bucket of S3, or of anything that speaks its protocol and has its consistency (a read sees the last write).
 * @param options.prefix of all names in the bucket, e.g. `holdfast/`; may be empty
 */
export function createS3Store(options: { client: S3Client; bucket: string; prefix: string }): Store {
  const { client, bucket: Bucket, prefix } = options;
  const nameOf = (key: string) => prefix + segmentsOf(key).join('/');
  /** What we know to be there of growing objects: they never shrink, so a write within it needs no look. */
  const knownEnds = new Map<string, number>();

  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw toStoreError(error, Bucket);
    }
  }

  async function names(beginning: string): Promise<string[]> {
    const found: string[] = [];
    for await (const page of paginateListObjectsV2({ client }, { Bucket, Prefix: beginning })) {
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) found.push(Key);
    }
    return found;
  }

  async function piecesOf(object: string): Promise<Piece[]> {
    return (await names(piecesPrefix(object))).flatMap((name) => parsePiece(object, name) ?? []);
  }

  async function head(object: string): Promise<number | undefined> {
    try {
      return (await client.send(new HeadObjectCommand({ Bucket, Key: object }))).ContentLength ?? 0;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** @returns undefined when there is no such object */
  async function get(object: string, range?: { start: number; end?: number }): Promise<Readable | undefined> {
    try {
      const Range =
        range === undefined
          ? undefined
          : `bytes=${String(range.start)}-${range.end === undefined ? '' : String(range.end - 1)}`;
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: object, ...(Range && { Range }) }));
      return Body as Readable;
    } catch (error) {
      if (isBeyondEnd(error)) return Readable.from([]);
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  async function put(object: string, content: Buffer): Promise<void> {
    await client.send(new PutObjectCommand({ Bucket, Key: object, Body: content, ContentLength: content.length }));
  }

  /** Of unknown length: in parts, which become an object together or not at all. */
  async function upload(object: string, content: Readable): Promise<StoredObject> {
    const hash = createHash('sha256');
    let bytes = 0;
    const counted = new Transform({
      transform(chunk: Buffer | string, _encoding, done) {
        const piece = Buffer.from(chunk);
        hash.update(piece);
        bytes += piece.length;
        done(null, piece);
      },
    });
    const upload = new Upload({ client, params: { Bucket, Key: object, Body: counted } });
    try {
      await Promise.all([pipeline(content, counted), upload.done()]);
    } catch (error) {
      counted.destroy();
      await upload.abort().catch(() => undefined); // the bucket's own rule for unfinished uploads is the second net
      throw error;
    }
    return { bytes, sha256: hash.digest('hex') };
  }

  async function* readPieces(object: string, pieces: readonly Piece[], range: { start: number; end?: number }) {
    let at = range.start;
    for (const { name, start, end } of cover(pieces, { ...range, end: range.end ?? Number.MAX_SAFE_INTEGER })) {
      const content = await get(name, { start, end });
      if (content === undefined) {
        // Settled meanwhile by another process: the one object has it all.
        yield* ((await get(object, { ...range, start: at })) ?? []) as AsyncIterable<Buffer>;
        return;
      }
      yield* content as AsyncIterable<Buffer>;
      at += end - start;
    }
  }

  async function stream(key: string, range: { start?: number; end?: number } = {}): Promise<Readable | undefined> {
    const { start = 0, end } = range;
    const object = nameOf(key);
    return await guarded(async () => {
      if (end !== undefined && end <= start) return (await size(key)) === undefined ? undefined : Readable.from([]);
      const plain = await get(
        object,
        start === 0 && end === undefined ? undefined : { start, ...(end !== undefined && { end }) },
      );
      if (plain !== undefined) return plain;
      const pieces = await piecesOf(object);
      if (pieces.length > 0)
        return Readable.from(readPieces(object, pieces, { start, ...(end !== undefined && { end }) }));
      // Settled between the two looks, or never there.
      return await get(object, { start, ...(end !== undefined && { end }) });
    });
  }

  async function size(key: string): Promise<number | undefined> {
    const object = nameOf(key);
    return await guarded(async () => {
      const plain = await head(object);
      if (plain !== undefined) return plain;
      const pieces = await piecesOf(object);
      return pieces.length === 0 ? await head(object) : endOf(pieces);
    });
  }

  async function removeAll(list: readonly string[]): Promise<void> {
    for (let at = 0; at < list.length; at += DELETES_AT_ONCE) {
      await Promise.all(
        list.slice(at, at + DELETES_AT_ONCE).map((Key) => client.send(new DeleteObjectCommand({ Bucket, Key }))),
      );
    }
  }

  async function read(key: string): Promise<Buffer | undefined> {
    const content = await stream(key);
    return content === undefined ? undefined : await guarded(() => buffer(content));
  }

  return {
    lookMs: LOOK_MS,
    writeMs: WRITE_MS,
    read,
    stream,
    size,
    async write(key, content) {
      const object = nameOf(key);
      return await guarded(async () => {
        if (content instanceof Readable) return await upload(object, content);
        const bytes = Buffer.from(content);
        await put(object, bytes);
        return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
      });
    },
    async writeAt(key, offset, bytes) {
      const object = nameOf(key);
      let end = knownEnds.get(object) ?? 0;
      if (offset > end) end = (await size(key)) ?? 0;
      if (offset > end) {
        throw new StoreError('STORE_GAP', `Cannot write ${key} at ${String(offset)}: it ends at ${String(end)}`);
      }
      if (bytes.length > 0) await guarded(() => put(pieceName(object, offset, bytes.length), bytes));
      knownEnds.set(object, Math.max(end, offset + bytes.length));
    },
    /** A bucket has what it has said that it has. */
    persist: () => Promise.resolve(),
    async settle(key) {
      const object = nameOf(key);
      await guarded(async () => {
        knownEnds.delete(object);
        const pieces = await piecesOf(object);
        if (pieces.length === 0) return;
        if ((await head(object)) === undefined) {
          await upload(object, Readable.from(readPieces(object, pieces, { start: 0 })));
        }
        await removeAll(pieces.map(({ name }) => name));
      });
    },
    async list(beginning) {
      const from = beginning === '' ? prefix : `${nameOf(beginning)}/`;
      const found = await guarded(() => names(from));
      return [
        ...new Set(found.map((name) => keyOfSegments(withoutPiece(name).slice(prefix.length).split('/')))),
      ].sort();
    },
    async remove(key) {
      const object = nameOf(key);
      knownEnds.delete(object);
      await guarded(async () => removeAll([object, ...(await piecesOf(object)).map(({ name }) => name)]));
    },
    async probe() {
      const key = `probe/${randomBytes(6).toString('hex')}`;
      const object = nameOf(key);
      await guarded(async () => {
        await put(object, Buffer.from('probe'));
        if ((await read(key))?.toString() !== 'probe')
          throw new StoreError('STORE_UNREACHABLE', `The bucket ${Bucket} does not give back what was written`);
        await removeAll([object]);
      });
    },
  };
}
