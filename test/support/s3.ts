import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from 's3rver';

export interface TestS3 {
  readonly endpoint: string;
  readonly bucket: string;
  readonly credentials: { accessKeyId: string; secretAccessKey: string };
  /**
   * Gives no answer to reads of objects whose key contains this, until `release`.
   * @returns how many wait now
   */
  withhold(part: string): { waiting(): number; release(): void };
  close(): Promise<void>;
}

/** A bucket that can be slow. */
class SlowS3 extends S3rver {
  private readonly held = new Map<string, (() => void)[]>();

  override callback(): ReturnType<S3rver['callback']> {
    const serve = super.callback();
    return (request, response) => {
      const part = [...this.held.keys()].find((each) => request.method === 'GET' && request.url?.includes(each));
      if (part === undefined) serve(request, response);
      else this.held.get(part)?.push(() => serve(request, response));
    };
  }

  withhold(part: string): { waiting(): number; release(): void } {
    const waiting: (() => void)[] = [];
    this.held.set(part, waiting);
    return {
      waiting: () => waiting.length,
      release: () => {
        this.held.delete(part);
        for (const go of waiting.splice(0)) go();
      },
    };
  }
}

/** A server of S3's protocol in this process, its objects in a directory of its own. */
export async function startS3(): Promise<TestS3> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-s3-'));
  const bucket = 'holdfast-test';
  const server = new SlowS3({
    address: '127.0.0.1',
    port: 0,
    directory,
    silent: true,
    configureBuckets: [{ name: bucket, configs: [] }],
  });
  const { port } = await server.run();
  return {
    endpoint: `http://127.0.0.1:${String(port)}`,
    bucket,
    // The ones that the server knows.
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    withhold: (part) => server.withhold(part),
    async close() {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
