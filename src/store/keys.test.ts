import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyCharacter } from '../../test/support/any-text.js';
import { cacheKey, jobKeys, outageKeys } from './keys.js';
import { segmentsOf } from './segments.js';

describe('keys of the store', () => {
  it('can be made of any text: each has its place, none lies in that of another', () => {
    const text = fc.oneof(
      fc.string({ unit: anyCharacter, minLength: 1 }),
      fc
        .array(fc.constantFrom('\ud800', '\udc00', '\0', '/', '..', '.', '%', 'a'), { minLength: 1 })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, text, (one, other) => {
        for (const key of [cacheKey(one, other), jobKeys.plan(one, 1), outageKeys.worker(one, other)]) {
          expect(key.split('/')).toHaveLength(key.startsWith('cache') ? 3 : 4);
          for (const name of segmentsOf(key)) expect(name).toMatch(/^(?!\.)[^/\0]{1,255}$/);
        }
      }),
    );
  });

  it('differ where the texts do', () => {
    expect(cacheKey('a/b', 'c')).not.toBe(cacheKey('a', 'b/c'));
    expect(cacheKey('a', '\ud83d\ude00')).not.toBe(cacheKey('a', '\ufffd'));
  });
});
