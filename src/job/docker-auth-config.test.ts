import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { registriesOf, secretsOfDockerAuthConfig } from './docker-auth-config.js';

const config = (auths: Record<string, unknown>) => JSON.stringify({ auths });
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('DOCKER_AUTH_CONFIG', () => {
  it('names its registries with user and password, also where the password has colons', () => {
    const text = config({ 'r.example': { auth: base64('me:a:b') }, 's.example': { username: 'u', password: 'p' } });

    expect(registriesOf(text)).toEqual([
      { url: 'r.example', username: 'me', password: 'a:b' },
      { url: 's.example', username: 'u', password: 'p' },
    ]);
  });

  it('is read where a login has left an empty auth beside its user', () => {
    expect(registriesOf(config({ 'r.example': { auth: '', username: 'u', password: 'p' } }))).toHaveLength(1);
  });

  it('may have an identity token in place of a password', () => {
    const text = config({ 'acr.example': { auth: base64('00000000-0000:'), identitytoken: 'identity-token' } });

    expect(registriesOf(text)).toEqual([
      { url: 'acr.example', username: '00000000-0000', password: '', identityToken: 'identity-token' },
    ]);
  });

  it('hides passwords, tokens and the encoded form of user and password', () => {
    const text = config({
      'r.example': { auth: base64('me:of-the-registry') },
      's.example': { username: 'someone', password: 'quo"ted-password', email: 'someone@example.com' },
      't.example': { identitytoken: 'identity-token', registrytoken: 'registry-token' },
    });

    expect(secretsOfDockerAuthConfig(text)).toEqual(
      expect.arrayContaining([
        base64('me:of-the-registry'),
        'of-the-registry',
        'quo"ted-password',
        'quo\\"ted-password',
        'identity-token',
        'registry-token',
      ]),
    );
    expect(secretsOfDockerAuthConfig(text).join()).not.toMatch(/someone|example/);
  });

  it('hides nothing shorter than a masked variable can be', () => {
    expect(secretsOfDockerAuthConfig(config({ r: { username: 'test', password: 'test' } }))).toEqual([]);
  });

  it('shows no long password in any of its forms', () => {
    const password = fc.string({ minLength: 8, maxLength: 40 }).filter((text) => text.trim().length >= 8);
    fc.assert(
      fc.property(fc.boolean(), password, (encoded, secret) => {
        fc.pre(!encoded || !secret.includes('\0'));
        const entry = encoded ? { auth: base64(`user:${secret}`) } : { username: 'user', password: secret };
        const text = config({ 'r.example': entry });
        const hidden = secretsOfDockerAuthConfig(text);

        expect(hidden).toContain(secret);
        expect(hidden.reduce((rest, each) => rest.replaceAll(each, ''), text)).not.toContain(
          encoded ? entry.auth : JSON.stringify(secret),
        );
      }),
    );
  });

  it('may be anything without harm', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((auths) => JSON.stringify({ auths })),
        ),
        (text) => {
          registriesOf(text);
          secretsOfDockerAuthConfig(text);
        },
      ),
    );
  });
});
