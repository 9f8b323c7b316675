import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { StandInAnswer } from '../../test/support/http-stand-in.js';
import { httpOf, server } from '../../test/support/stand-in-of-test.js';
import { openArchive } from './download.js';

const JOB = { id: 4700, token: 'glcbt-64_of-the-dependency' };
const ARCHIVE = Buffer.from('PK an archive');

async function download(url: string, direct = true) {
  const outcome = await openArchive(httpOf(url), JOB, { direct });
  return outcome.kind === 'archive' ? { kind: 'archive', bytes: await buffer(outcome.content) } : outcome;
}

const to = (location: string, status = 302): StandInAnswer => ({ status, headers: { Location: location } });
const archive: StandInAnswer = { status: 200, body: ARCHIVE };

describe('the archive of another job', () => {
  it('comes from GitLab, which is asked with the token and may send elsewhere', async () => {
    const gitlab = await server(() => archive);

    expect(await download(gitlab.url)).toEqual({ kind: 'archive', bytes: ARCHIVE });

    const [asked] = gitlab.seen;
    expect(asked).toMatchObject({ method: 'GET', path: '/api/v4/jobs/4700/artifacts' });
    expect(asked!.query.get('direct_download')).toBe('true');
    expect(asked!.headers['job-token']).toBe(JOB.token);
  });

  it('comes through GitLab itself when object storage is not wished', async () => {
    const gitlab = await server(() => archive);

    expect(await download(gitlab.url, false)).toEqual({ kind: 'archive', bytes: ARCHIVE });
    expect([...gitlab.seen[0]!.query]).toEqual([]);
  });

  it.each([301, 302, 303, 307, 308])('comes from object storage without the token (%i)', async (status) => {
    const storage = await server(() => archive);
    const gitlab = await server(() => to(`${storage.url}/bucket/x?X-Amz-Signature=s`, status));

    expect(await download(gitlab.url)).toEqual({ kind: 'archive', bytes: ARCHIVE });
    expect(storage.seen[0]!.query.get('X-Amz-Signature')).toBe('s');
    expect(storage.seen[0]!.headers).not.toHaveProperty('job-token');
  });

  it('comes from another path of GitLab with the token', async () => {
    const gitlab = await server(({ path }) => (path === '/other' ? archive : to('/other')));

    expect((await download(gitlab.url)).kind).toBe('archive');
    expect(gitlab.seen[1]!.headers['job-token']).toBe(JOB.token);
  });

  it.each([
    [{ status: 401 }, { kind: 'forbidden', status: 401 }],
    [{ status: 403 }, { kind: 'forbidden', status: 403 }],
    [{ status: 404 }, { kind: 'missing' }],
    [
      { status: 429, headers: { 'Retry-After': '7' } },
      { kind: 'unavailable', answered: true, retryAfterMs: 7_000 },
    ],
    [{ status: 503 }, { kind: 'unavailable', answered: false }],
    [{ status: 204 }, { kind: 'unavailable', answered: true }],
    ['reset' as const, { kind: 'unavailable', answered: false }],
  ])('is not there, or not now: %o', async (answer, outcome) => {
    const gitlab = await server(() => answer);

    expect(await download(gitlab.url)).toMatchObject(outcome);
  });

  it.each(['file:///etc/passwd', 'http://[', undefined])('is not looked for at %s', async (location) => {
    const gitlab = await server(() => (location === undefined ? { status: 302 } : to(location)));

    expect(await download(gitlab.url)).toMatchObject({ kind: 'unavailable', reason: 'status 302' });
  });

  it('is given up for this time when GitLab sends in a circle', async () => {
    const gitlab = await server(({ path }) => to(path));

    expect(await download(gitlab.url)).toMatchObject({ kind: 'unavailable' });
    expect(gitlab.seen).toHaveLength(6);
  });

  it('that breaks off in its middle is an error of its content', async () => {
    const gitlab = await server(() => 'half');

    await expect(download(gitlab.url)).rejects.toThrow();
  });

  it('is no longer waited for once nobody wants it', async () => {
    const gitlab = await server(() => 'hang');
    const controller = new AbortController();
    const asked = openArchive(httpOf(gitlab.url), JOB, { direct: true }, controller.signal);
    controller.abort(new Error('canceled'));

    await expect(asked).rejects.toThrow('canceled');
  });
});
