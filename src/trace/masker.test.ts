import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMasker, DEFAULT_TOKEN_PREFIXES } from './masker.js';
import { createPhraseMasker, type ByteStage } from './phrase-masker.js';
import { createPrefixMasker } from './prefix-masker.js';

function through(stage: ByteStage, input: Buffer, cuts: number[] = []): string {
  const output: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts, input.length].map((at) => Math.min(at, input.length)).sort((a, b) => a - b)) {
    output.push(stage.push(input.subarray(from, cut)));
    from = cut;
  }
  output.push(stage.flush());
  return Buffer.concat(output).toString('latin1');
}

/** The definition, with no regard to speed: cover every occurrence, one mask for each run of occurrences that share bytes. */
function naive(phrases: string[], text: string): string {
  const found: [number, number][] = [];
  for (const phrase of phrases.map((entry) => entry.trim()).filter((entry) => entry !== '')) {
    for (let at = text.indexOf(phrase); at !== -1; at = text.indexOf(phrase, at + 1))
      found.push([at, at + phrase.length]);
  }
  found.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  let output = '';
  let shown = 0;
  for (const [start, end] of found) {
    if (start >= shown) output += `${text.slice(shown, start)}[MASKED]`;
    shown = Math.max(shown, end);
  }
  return output + text.slice(shown);
}

const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' '), maxLength: 60 });
const needles = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 6 }), {
  maxLength: 4,
});
const cuts = fc.array(fc.nat(80), { maxLength: 8 });

describe('phrase masker', () => {
  it('does over any split what the definition says', () => {
    fc.assert(
      fc.property(needles, letters, cuts, (phrases, text, at) => {
        expect(through(createPhraseMasker(phrases), Buffer.from(text), at)).toBe(naive(phrases, text));
      }),
      { numRuns: 2000 },
    );
  });

  it('hides both of two secrets that overlap', () => {
    expect(through(createPhraseMasker(['abcdef', 'defghi']), Buffer.from('x abcdefghi y'))).toBe('x [MASKED] y');
  });

  it('shows two masks for a secret printed twice in a row', () => {
    expect(through(createPhraseMasker(['secret']), Buffer.from('secretsecret'))).toBe('[MASKED][MASKED]');
  });

  it('keeps invalid UTF-8 as it is', () => {
    const bytes = Buffer.from([0xff, 0x61, 0xfe, 0x00, 0x0a]);
    expect(through(createPhraseMasker(['nothing']), bytes, [1, 2])).toBe(bytes.toString('latin1'));
  });

  it('shows the beginning of a secret that never came to its end', () => {
    expect(through(createPhraseMasker(['password']), Buffer.from('my passw'), [5])).toBe('my passw');
  });

  it('is linear on a stream of nothing but overlapping occurrences', () => {
    const masker = createPhraseMasker(['a'.repeat(5000)]);
    let bytes = 0;
    for (let chunk = 0; chunk < 40; chunk++) bytes += masker.push(Buffer.alloc(50_000, 'a')).length;
    expect(bytes + masker.flush().length).toBe('[MASKED]'.length);
  });
});

describe('prefix masker', () => {
  const isValueByte = (byte: number) => byte >= 0x61 && byte <= 0x63;

  it('does the same over any split', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('t', '-', 'a', 'x', 'T'), maxLength: 60 }), cuts, (text, at) => {
        const make = () => createPrefixMasker({ prefixes: ['t-', 't-t-', 'x-'], ignoreCase: true, isValueByte });
        expect(through(make(), Buffer.from(text), at)).toBe(through(make(), Buffer.from(text)));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('masker', () => {
  const mask = (text: string) => through(createMasker({ phrases: [], tokenPrefixes: ['corp-'] }), Buffer.from(text));

  it('keeps a token prefix and hides the token', () => {
    expect(mask('token glpat-abc_DEF.1= end')).toBe('token glpat-[MASKED] end');
    expect(mask('corp-12345,')).toBe('corp-[MASKED],');
  });

  it('forgets no prefix, however many and long the instance and Holdfast have', () => {
    const own = ['our-company-personal-', 'our-company-deploy-', 'größe-'];
    const masker = createMasker({ phrases: [], tokenPrefixes: own });
    const all = [...DEFAULT_TOKEN_PREFIXES, ...own];
    const text = Buffer.from(all.map((prefix) => `${prefix}0123456789`).join('\n'));

    expect(Buffer.from(through(masker, text), 'latin1').toString('utf8')).toBe(
      all.map((prefix) => `${prefix}[MASKED]`).join('\n'),
    );
  });

  it('is not made slow by prefixes, nor blind by one that is longer than any', () => {
    const long = 'p'.repeat(4000);
    const many = [long, '', ...Array.from({ length: 10_000 }, (_, count) => `${'q'.repeat(4000)}${String(count)}`)];
    const masker = createMasker({ phrases: [], tokenPrefixes: many });
    let shown = '';
    for (let chunk = 0; chunk < 200; chunk++) shown += masker.push(Buffer.from('text and qq\n')).toString();
    shown += Buffer.concat([masker.push(Buffer.from(`${long}secret\n`)), masker.flush()]).toString();

    expect(shown).toContain('text and qq\n');
    expect(shown).not.toContain('secret');
  });

  it('hides the values of secret URL parameters in any case', () => {
    expect(mask('GET /x?a=1&Private_Token=abc&b=2 X')).toBe('GET /x?a=1&Private_Token=[MASKED]&b=2 X');
  });

  it('leaves a prefix without a value alone', () => {
    expect(mask('glpat- nothing')).toBe('glpat- nothing');
  });

  it('never shows a declared secret, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, maxLength: 12 }), letters, letters, cuts, (secret, before, after, at) => {
        fc.pre(secret.trim().length >= 4 && !'[MASKED]'.includes(secret.trim()));
        const masker = createMasker({ phrases: [secret], tokenPrefixes: [] });
        const input = Buffer.from(before + secret.trim() + after);
        fc.pre(!`${before}[MASKED]${after}`.includes(secret.trim()));
        expect(through(masker, input, at)).not.toContain(Buffer.from(secret.trim()).toString('latin1'));
      }),
    );
  });
});
