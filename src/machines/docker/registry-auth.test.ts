import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { registryAuth } from './registry-auth.js';

const credential = (url: string, username = url) => ({ url, username, password: `p-${username}` });
const config = (auths: Record<string, unknown>) => JSON.stringify({ auths });
const basic = (user: string, password: string) => ({ auth: Buffer.from(`${user}:${password}`).toString('base64') });

function userFor(image: string, credentials: ReturnType<typeof credential>[], dockerAuthConfig?: string) {
  return registryAuth(image, { credentials, dockerAuthConfig })?.username;
}

describe('the credentials of an image', () => {
  it('are those of its registry', () => {
    const all = [credential('registry.example'), credential('other.example:5000')];

    expect(userFor('registry.example/a/b:1', all)).toBe('registry.example');
    expect(userFor('other.example:5000/a@sha256:00', all)).toBe('other.example:5000');
    expect(userFor('third.example/a', all)).toBeUndefined();
    expect(userFor('registry.example.evil/a', all)).toBeUndefined();
  });

  it.each(['docker.io', 'https://index.docker.io/v1/', 'registry-1.docker.io'])(
    'of Docker Hub may be written as %s',
    (url) => {
      expect(userFor('debian', [credential(url, 'hub')])).toBe('hub');
      expect(userFor('team/app:1', [credential(url, 'hub')])).toBe('hub');
      expect(userFor('localhost/app', [credential(url, 'hub')])).toBeUndefined();
    },
  );

  it('are those of the longest path', () => {
    const all = [credential('r.example'), credential('r.example/group/sub', 'sub'), credential('r.example/group', 'g')];

    expect(userFor('r.example/group/sub/app', all)).toBe('sub');
    expect(userFor('r.example/group/other', all)).toBe('g');
    expect(userFor('r.example/groupie/x', all)).toBe('r.example');
  });

  it("come from DOCKER_AUTH_CONFIG before the payload's for the same registry", () => {
    const text = config({
      'r.example': basic('mine', 'a:b:c'),
      'https://s.example/v2/': { username: 'u', password: 'p' },
    });

    expect(registryAuth('r.example/x', { credentials: [credential('r.example')], dockerAuthConfig: text })).toEqual({
      username: 'mine',
      password: 'a:b:c',
      serveraddress: 'r.example',
    });
    expect(userFor('s.example/x', [], text)).toBe('u');
  });

  it.each([
    '',
    'no json',
    '7',
    'null',
    '{"auths":7}',
    '{"auths":{"r.example":{"auth":7}}}',
    '{"auths":{"r.example":null}}',
  ])('that cannot be read (%s) are none', (text) => {
    expect(userFor('r.example/x', [credential('r.example', 'payload')], text)).toBe('payload');
  });

  it('never throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), (image, auths) => {
        registryAuth(image, { credentials: [credential(image)], dockerAuthConfig: JSON.stringify({ auths }) });
      }),
    );
  });
});
