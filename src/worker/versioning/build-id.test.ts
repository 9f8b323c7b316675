import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildIdOf, takesOverFrom } from './build-id.js';

const release = fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20)).map((numbers) => numbers.join('.'));

describe('the version of a worker', () => {
  it('is the same for the same workflow code and another one for other code', () => {
    expect(buildIdOf('1.2.3', 'code')).toBe(buildIdOf('1.2.3', Buffer.from('code')));
    expect(buildIdOf('1.2.3', 'code')).not.toBe(buildIdOf('1.2.3', 'other code'));
    expect(buildIdOf('1.2.3', 'code')).toMatch(/^1\.2\.3-[0-9a-f]{12}$/);
  });

  it('takes over from nothing, from an earlier release and from other code of the same one', () => {
    expect(takesOverFrom('1.0.0-a', undefined)).toBe(true);
    expect(takesOverFrom('1.10.0-a', '1.9.9-b')).toBe(true);
    expect(takesOverFrom('1.0.0-a', '1.0.0-b')).toBe(true);
    expect(takesOverFrom('1.0.0-a', 'made-by-hand')).toBe(true);
  });

  it('takes over neither from itself nor from a later release', () => {
    expect(takesOverFrom('1.0.0-a', '1.0.0-a')).toBe(false);
    expect(takesOverFrom('1.9.9-a', '1.10.0-b')).toBe(false);
  });

  it('never lets two different releases take over from each other in turn', () => {
    fc.assert(
      fc.property(release, release, (a, b) => {
        fc.pre(a !== b);
        expect(takesOverFrom(`${a}-x`, `${b}-y`)).not.toBe(takesOverFrom(`${b}-y`, `${a}-x`));
      }),
    );
  });
});
