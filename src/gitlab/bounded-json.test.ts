import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyCharacter } from '../../test/support/any-text.js';
import { MAX_JSON_BYTES, readBoundedJson } from './bounded-json.js';

const bytes = (text: string) => Buffer.from(text);
/** More values than are read. */
const TOO_MANY = `[${'0,'.repeat(250_000)}0]`;

describe('JSON from outside', () => {
  it('is what a parser makes of it', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(readBoundedJson(bytes(text))).toEqual({ kind: 'json', value: JSON.parse(text) });
      }),
    );
  });

  it('that is none never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string({ unit: fc.constantFrom(...'[]{},:"\\0') })), (given) => {
        expect(['json', 'none']).toContain(readBoundedJson(Buffer.from(given as Uint8Array)).kind);
      }),
    );
  });

  it.each([
    ['lists in lists', '['.repeat(5_000_000)],
    ['empty lists', `[${'[],'.repeat(3_000_000)}0]`],
    ['numbers', TOO_MANY],
    ['keys', `{${'"a":0,'.repeat(300_000)}"b":0}`],
    ['text', `"${'x'.repeat(MAX_JSON_BYTES)}"`],
  ])('of too many or too long %s is not parsed', (_name, text) => {
    expect(readBoundedJson(bytes(text))).toMatchObject({ kind: 'tooLarge' });
  });

  it('that is too large still tells its topmost members', () => {
    const anything = fc.dictionary(fc.string({ unit: anyCharacter }), fc.jsonValue());
    fc.assert(
      fc.property(anything, (members) => {
        const given = JSON.parse(JSON.stringify(members)) as Record<string, unknown>;
        const { head } = tooLarge(JSON.stringify({ ...given, last: 'LIST' }).replace('"LIST"', TOO_MANY));

        const expected = Object.entries({ ...given, last: [] }).map(([key, value]) => [
          key,
          typeof value === 'object' ? null : value,
        ]);
        expect(head).toEqual(Object.fromEntries(expected));
      }),
      { numRuns: 50 },
    );
  });

  it('that was cut still tells the members before the cut', () => {
    const text = `{"id":1,"a":{"id":2,"b":[{"id":3}]},"token":"x","rest":"${'y'.repeat(MAX_JSON_BYTES)}`;

    expect(tooLarge(text).head).toEqual({ id: 1, a: null, token: 'x' });
  });

  it.each(['', '[', `{"a":"${'x'.repeat(100_000)}","id":1,"b":`])(
    'that is too large and no object has no head',
    (start) => {
      const head = tooLarge(start + TOO_MANY).head;

      expect(head ?? {}).toEqual({});
    },
  );
});

function tooLarge(text: string) {
  const read = readBoundedJson(bytes(text));
  if (read.kind !== 'tooLarge') throw new Error(read.kind);
  return read;
}
