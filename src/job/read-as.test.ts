import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readAs } from './read-as.js';

const Schema = z.strictObject({ name: z.string().max(5), tags: z.array(z.string()).max(3).optional() });
const NO_NUMBER = { length: { toString: 1, valueOf: 1 } };

describe('readAs', () => {
  it('gives what the schema gives', () => {
    expect(readAs(Schema, { name: 'a' })).toMatchObject({ success: true, data: { name: 'a' } });
    expect(readAs(Schema, { name: 'abcdef' })).toMatchObject({
      error: { issues: [{ path: ['name'], code: 'too_big' }] },
    });
    expect(readAs(Schema, {}, { error: () => 'in words' })).toMatchObject({
      error: { issues: [{ message: 'in words' }] },
    });
  });

  it.each([NO_NUMBER, { name: NO_NUMBER }, { name: 'a', tags: NO_NUMBER }])(
    'refuses %j, and does not throw',
    (value) => {
      expect(readAs(Schema, value).success).toBe(false);
    },
  );

  it('says where', () => {
    expect(readAs(Schema, { name: 'a', tags: NO_NUMBER })).toMatchObject({ error: { issues: [{ path: ['tags'] }] } });
    let deep: unknown = NO_NUMBER;
    for (let level = 0; level < 20_000; level++) deep = [deep];
    expect(readAs(Schema, { name: NO_NUMBER, deep })).toMatchObject({ success: false });
    // What makes no number of it is its depth.
    expect(readAs(Schema, { name: { length: deep } })).toMatchObject({ error: { issues: [{ path: ['name'] }] } });
  });

  it('lets through what is our own mistake', () => {
    const broken = z.string().transform(() => (undefined as unknown as string[]).length);

    expect(() => readAs(broken, 'a')).toThrow(TypeError);
  });

  it('never throws for what it is given', () => {
    const length = fc.record({ length: fc.anything({ withNullPrototype: true }) });
    fc.assert(
      fc.property(fc.oneof(length, fc.anything()), fc.oneof(length, fc.anything()), (name, tags) => {
        expect(readAs(Schema, { name, tags })).toHaveProperty('success');
      }),
    );
  });
});
