import { Readable } from 'node:stream';
import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startS3, type TestS3 } from '../../../test/support/s3.js';
import { storeSuite } from '../../../test/support/store-suite.js';
import type { Store } from '../store.js';
import { createS3Store } from './s3-store.js';

describe('a store in a bucket', () => {
  let server: TestS3;
  let store: Store;

  function storeAt(options: { endpoint?: string; bucket?: string; accessKeyId?: string } = {}): Store {
    const client = new S3Client({
      endpoint: options.endpoint ?? server.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: {
        ...server.credentials,
        ...(options.accessKeyId !== undefined && { accessKeyId: options.accessKeyId }),
      },
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    return createS3Store({ client, bucket: options.bucket ?? server.bucket, prefix: 'ci/' });
  }

  beforeAll(async () => {
    server = await startS3();
    store = storeAt();
  });

  afterAll(() => server.close());

  storeSuite(() => store);

  it('goes on where another process has written, and never shortens what that one wrote', async () => {
    const other = storeAt();
    await other.writeAt('t/shared', 0, Buffer.from('0123456789'));
    await store.writeAt('t/shared', 0, Buffer.from('01234'));
    expect((await store.read('t/shared'))?.toString()).toBe('0123456789');
    await store.writeAt('t/shared', 10, Buffer.from('abc'));

    expect((await other.read('t/shared'))?.toString()).toBe('0123456789abc');
  });

  it('reads on from the whole object when the pieces are settled under a reader', async () => {
    for (let at = 0; at < 50; at += 10) await store.writeAt('t/settled', at, Buffer.alloc(10, String(at / 10)));
    const stream = (await store.stream('t/settled')) ?? Readable.from([]);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) {
      if (chunks.length === 0) await storeAt().settle('t/settled');
      chunks.push(chunk as Buffer);
    }

    expect(Buffer.concat(chunks).toString()).toBe('00000000001111111111222222222233333333334444444444');
  });

  it('takes an object of more than one part', async () => {
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const stored = await store.write('t/large', Readable.from(Array.from({ length: 12 }, () => chunk)));

    expect(stored.bytes).toBe(12 * chunk.length);
    expect(await store.size('t/large')).toBe(12 * chunk.length);
  });

  it('says what is wrong with bucket, credentials and server, in words', async () => {
    await expect(storeAt({ bucket: 'no-such-bucket' }).probe()).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('does not exist'),
    });
    await expect(storeAt({ accessKeyId: 'nobody' }).probe()).rejects.toMatchObject({
      code: 'STORE_READ_ONLY',
      message: expect.stringContaining('credentials'),
    });
    await expect(storeAt({ endpoint: 'http://127.0.0.1:1' }).probe()).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('cannot be used now'),
    });
  });
});
