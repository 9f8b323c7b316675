import fc from 'fast-check';
import { expect, it } from 'vitest';
import { maskText } from './mask-text.js';

it('hides in a whole text what a trace would hide', () => {
  const rules = { masks: ['hunter2', 'abc'], tokenPrefixes: ['acme-'] };

  expect(maskText('pull x-hunter2:1 with acme-123 and abc', rules)).toBe(
    'pull x-[MASKED]:1 with acme-[MASKED] and [MASKED]',
  );
});

it('leaves no secret, wherever it stands', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '-', 'é'), minLength: 3, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 3 }), fc.array(word, { maxLength: 5 }), (masks, words) => {
      const text = [...words, ...masks, ...words].join(' ');
      const shown = maskText(text, { masks, tokenPrefixes: [] });
      for (const mask of masks) expect(shown).not.toContain(mask);
    }),
  );
});
