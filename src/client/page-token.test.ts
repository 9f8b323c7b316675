import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadPageError } from './errors.js';
import { readPageToken, writePageToken } from './page-token.js';

describe('a page of the list', () => {
  it('is found again by what its address says', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (token) => {
        expect([...readPageToken(writePageToken(token))]).toEqual([...token]);
      }),
    );
  });

  it('is refused when its address was made up or cut off, before anybody is asked', () => {
    const whole = writePageToken(Buffer.from('{"SearchAfter":[1]}'));

    for (const page of ['rubbish', '', '%', 'a'.repeat(5000), whole.slice(0, -2), `${whole}AAAA`])
      expect(() => readPageToken(page)).toThrow(BadPageError);
  });
});
