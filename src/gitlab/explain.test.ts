import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explainVerify } from './explain.js';

const URL = 'https://gitlab.example';
const NOW = Date.parse('2026-01-31T12:00:00Z');

describe('what GitLab says of a runner token', () => {
  it('is the runner and how long the token lasts', () => {
    const valid = { kind: 'valid', runnerId: 42, expiresAt: '2026-12-01T00:00:00Z', serverTimeMs: NOW } as const;

    expect(explainVerify(URL, valid, NOW)).toEqual({
      ok: true,
      words: 'runner 42, the token is valid until 2026-12-01T00:00:00Z',
      warnings: [],
    });
  });

  it.each([
    [NOW + 90_000, /90 s behind/],
    [NOW - 3_600_000, /3600 s ahead of/],
  ])('comes with a warning when the clocks differ', (serverTimeMs, warning) => {
    const told = explainVerify(URL, { kind: 'valid', runnerId: 1, expiresAt: null, serverTimeMs }, NOW);

    expect(told.warnings).toEqual([expect.stringMatching(warning)]);
  });

  it.each([
    ['2026-02-05T00:00:00Z', /expires within 5 days/],
    ['2026-01-31T23:00:00Z', /expires within a day/],
    ['2026-01-31T11:00:00Z', /has expired/],
  ])('comes with a warning when the token ends within a week (%s) and nobody renews it', (expiresAt, warning) => {
    const valid = { kind: 'valid', runnerId: 1, expiresAt } as const;

    expect(explainVerify(URL, valid, NOW).warnings).toEqual([expect.stringMatching(warning)]);
    expect(explainVerify(URL, valid, NOW, { renewed: true }).warnings).toEqual([]);
  });

  it.each([
    ['status 401: Unauthorized', /another login/],
    ['status 403: 403 Forbidden', /does not know this runner token.*"glrt-"/],
    ['status 422', /does not know this runner token/],
  ])('of a refused one (%s) is what to do', (reason, words) => {
    expect(explainVerify(URL, { kind: 'invalid', reason }, NOW)).toMatchObject({
      ok: false,
      words: expect.stringMatching(words),
    });
  });

  it('of a refused one that is renewed here speaks of an answer that is lost', () => {
    const outcome = { kind: 'invalid', reason: 'status 403: 403 Forbidden' } as const;

    expect(explainVerify(URL, outcome, NOW, { renewed: true }).words).toMatch(
      /just renewed.*reset_authentication_token/,
    );
    expect(explainVerify(URL, outcome, NOW).words).not.toContain('renewed');
  });

  it.each([
    ['self-signed certificate (DEPTH_ZERO_SELF_SIGNED_CERT)', /cannot be trusted.*"ca"/],
    ['unable to verify the first certificate (UNABLE_TO_VERIFY_LEAF_SIGNATURE)', /cannot be trusted/],
    ['certificate has expired (CERT_HAS_EXPIRED)', /cannot be trusted/],
    ['getaddrinfo ENOTFOUND gitlab.example', /is the host name right/],
    ['connect ECONNREFUSED 127.0.0.1:1', /is it running/],
    ['no answer within 20 s', /is it running/],
    ['status 404', /start page/],
    ['status 503', /did not answer as GitLab does/],
  ])('when it does not answer (%s) is what to look at', (reason, words) => {
    const told = explainVerify(URL, { kind: 'unavailable', reason, answered: false }, NOW);

    expect(told).toMatchObject({ ok: false, words: expect.stringMatching(words) });
  });

  it('always names the URL', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom('invalid', 'unavailable'), (reason, kind) => {
        const outcome =
          kind === 'invalid'
            ? { kind: 'invalid' as const, reason }
            : { kind: 'unavailable' as const, reason, answered: true };
        expect(explainVerify(URL, outcome, NOW).words).toContain(URL);
      }),
    );
  });
});
