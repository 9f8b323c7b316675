import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSameServer, redirectTarget } from './redirect.js';

const at = new URL('https://gitlab.example/api/v4/jobs/1/artifacts?x=1');

describe('the target of a redirect', () => {
  it('may be an address or a path', () => {
    expect(redirectTarget('https://storage.example/a?b=c', at)?.href).toBe('https://storage.example/a?b=c');
    expect(redirectTarget('/elsewhere', at)?.href).toBe('https://gitlab.example/elsewhere');
    expect(redirectTarget('//other.example/x', at)?.href).toBe('https://other.example/x');
  });

  it.each([undefined, 'file:///etc/passwd', 'javascript:alert(1)', 'http://[', 'data:,x'])('is not %s', (location) => {
    expect(redirectTarget(location, at)).toBeUndefined();
  });

  it('is always of the web, whatever a server says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl()), (location) => {
        expect(redirectTarget(location, at)?.protocol ?? 'https:').toMatch(/^https?:$/);
      }),
    );
  });
});

describe('the server that a token is for', () => {
  it.each([
    ['https://gitlab.example/a', 'https://gitlab.example/b', true],
    ['http://gitlab.example/a', 'https://gitlab.example/a', true],
    ['https://gitlab.example/a', 'http://gitlab.example/a', false],
    ['https://gitlab.example/a', 'https://gitlab.example:8443/a', false],
    ['http://gitlab.example:8080/a', 'https://gitlab.example/a', false],
    ['https://gitlab.example/a', 'https://gitlab.example.evil/a', false],
    ['https://gitlab.example/a', 'https://evil@storage.example/', false],
    ['https://gitlab.example/a', 'https://gitlab.example@evil.example/', false],
  ])('from %s to %s is the same: %s', (home, target, same) => {
    expect(isSameServer(new URL(target), new URL(home))).toBe(same);
  });
});
