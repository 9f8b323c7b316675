import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { StandInAnswer } from '../../test/support/http-stand-in.js';
import { httpOf, server } from '../../test/support/stand-in-of-test.js';
import { sendArtifact } from './upload.js';

const JOB = { id: 4711, token: 'glcbt-64_secret' };
const BYTES = Buffer.from('PK and more');

async function send(url: string, bytes = BYTES) {
  const http = httpOf(url);
  let opened = 0;
  const outcome = await sendArtifact(http, JOB, {
    name: 'artifacts.zip',
    type: 'archive',
    format: 'zip',
    bytes: bytes.length,
    content: () => {
      opened += 1;
      return Promise.resolve(Readable.from([bytes], { objectMode: false }));
    },
  });
  return { outcome, opened };
}

const to = (location: string, status = 307): StandInAnswer => ({ status, headers: { Location: location } });

describe('an upload that is sent elsewhere', () => {
  it.each([307, 308])('goes again, whole and with its token, to another path of GitLab (%i)', async (status) => {
    const gitlab = await server(({ path }) =>
      path.startsWith('/api') ? to('/primary/upload?type=archive', status) : { status: 201 },
    );

    expect(await send(gitlab.url)).toEqual({ outcome: { kind: 'stored' }, opened: 2 });

    const [first, second] = gitlab.seen;
    expect(second).toMatchObject({ method: 'POST', path: '/primary/upload' });
    expect(Object.fromEntries(second!.query)).toEqual({ type: 'archive' });
    expect(second!.headers['job-token']).toBe(JOB.token);
    expect(second!.body.length).toBe(first!.body.length);
    expect(second!.body.includes(BYTES)).toBe(true);
  });

  it('goes to another host without its token, and that answer says nothing about the job', async () => {
    const storage = await server(() => ({ status: 403 }));
    const gitlab = await server(() => to(`${storage.url}/bucket?X-Amz-Signature=of-the-storage`));

    const { outcome } = await send(gitlab.url);

    expect(outcome).toMatchObject({ kind: 'rejected', status: 403 });
    expect(outcome).toHaveProperty('reason', expect.stringContaining(new URL(storage.url).host));
    expect(storage.seen[0]!.headers['job-token']).toBeUndefined();
    expect(storage.seen[0]!.body.includes(BYTES)).toBe(true);
  });

  it('does not get its token back on the way from another host to a third', async () => {
    const third = await server(() => ({ status: 201 }));
    const second = await server(() => to(`${third.url}/x`));
    const gitlab = await server(() => to(`${second.url}/x`));

    expect((await send(gitlab.url)).outcome).toEqual({ kind: 'stored' });
    expect([...second.seen, ...third.seen].map(({ headers }) => headers['job-token'])).toEqual([undefined, undefined]);
  });

  it('in a circle is rejected after a few rounds', async () => {
    const gitlab = await server(() => to('/api/v4/jobs/4711/artifacts'));

    expect((await send(gitlab.url)).outcome).toMatchObject({ kind: 'rejected', status: 307 });
    expect(gitlab.seen).toHaveLength(6);
  });

  it.each([to('/else', 302), to('file:///etc/passwd'), { status: 307 }])(
    'in a way that nobody can follow is rejected (%o)',
    async (answer) => {
      const gitlab = await server(() => answer);

      expect((await send(gitlab.url)).outcome).toMatchObject({ kind: 'rejected' });
      expect(gitlab.seen).toHaveLength(1);
    },
  );

  it('tells no signature of the address that it cannot follow', async () => {
    const gitlab = await server(() => to('https://storage.example/x?X-Amz-Signature=secret', 303));

    expect(JSON.stringify((await send(gitlab.url)).outcome)).not.toContain('secret');
  });

  it('before anybody has read its body is sent whole all the same', async () => {
    const storage = await server(() => ({ status: 201 }));
    const hasty = createServer((_request, response) => {
      response.writeHead(307, { Location: `${storage.url}/x`, Connection: 'close' }).end();
    });
    await once(hasty.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => {
      hasty.closeAllConnections();
      return new Promise<void>((resolve) => hasty.close(() => resolve()));
    });
    const bytes = Buffer.alloc(20_000_000, 'x');

    const { outcome } = await send(`http://127.0.0.1:${String((hasty.address() as AddressInfo).port)}`, bytes);

    expect(outcome).toEqual({ kind: 'stored' });
    expect(storage.seen[0]!.body.includes(bytes)).toBe(true);
  });
});
