import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expand, expandPosix } from './expand.js';
import { cleanCacheKey } from './plan.js';

const VALUES: Record<string, string> = { A: 'alpha', B_2: '$A', EMPTY: '', PATH: '/x/y' };
const lookup = (name: string) => VALUES[name];

/** The same rules once more, one character at a time and without regular expressions. */
function slowly(text: string): string {
  const isFirst = (char: string) =>
    char !== '' && 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_'.includes(char);
  const isNext = (char: string) => isFirst(char) || (char !== '' && '0123456789'.includes(char));
  const isSpecial = (char: string) => char !== '' && '*#@!?-0123456789'.includes(char);
  const known = (name: string) => (name === '$' ? '$' : (lookup(name) ?? ''));
  let output = '';
  for (let at = 0; at < text.length;) {
    const next = text.charAt(at + 1);
    if (text.charAt(at) !== '$') {
      output += text.charAt(at);
      at += 1;
    } else if (next === '$') {
      output += '$';
      at += 2;
    } else if (next === '{') {
      const close = text.indexOf('}', at + 2);
      if (close === -1) at += 2;
      else {
        output += known(text.slice(at + 2, close));
        at = close + 1;
      }
    } else if (isSpecial(next)) {
      at += 2;
    } else if (isFirst(next)) {
      let end = at + 1;
      while (isNext(text.charAt(end))) end += 1;
      output += known(text.slice(at + 1, end));
      at = end;
    } else {
      output += '$';
      at += 1;
    }
  }
  return output;
}

describe('expansion', () => {
  it.each([
    ['$A ${A}', 'alpha alpha'],
    ['$B_2', '$A'],
    ['$$A $$$$', '$A $$'],
    ['$NOBODY|${NOBODY}|$EMPTY', '||'],
    ['<$1$@$?$-${1}>', '<>'],
    ['$10', '0'],
    ['${A:-x}', ''],
    ['${}', ''],
    ['${A', 'A'],
    ['100% of $ and $.', '100% of $ and $.'],
    ['a$A-b', 'aalpha-b'],
    ['$Ab', ''],
  ])('makes %j to %j', (text, expected) => {
    expect(expand(text, lookup)).toBe(expected);
  });

  it('is what the slow way gives, whatever the text', () => {
    const text = fc.string({
      unit: fc.constantFrom('$', '{', '}', 'A', 'B', '_', '2', '-', '?', ' ', '\n', 'ä'),
      maxLength: 30,
    });
    fc.assert(
      fc.property(text, (given) => {
        expect(expand(given, lookup)).toBe(slowly(given));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes no time that a value could be made to cost', () => {
    expect(expand('${'.repeat(500_000), lookup)).toBe('');
    expect(expand(`\${A}${'${'.repeat(500_000)}`, lookup)).toBe('alpha');
    expect(expandPosix('${A-'.repeat(250_000), lookup)).toBe('A-'.repeat(250_000));
    expect(cleanCacheKey(`${' '.repeat(1_000_000)}x`)).toHaveLength(1_000_001);
  });

  it('inserts text that is not read again', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(expand('<$X>', (name) => (name === 'X' ? value : undefined))).toBe(`<${value}>`);
        expect(expandPosix('<${X:-y}>', (name) => (name === 'X' ? `v${value}` : undefined))).toBe(`<v${value}>`);
      }),
    );
  });
});

describe("the shell's forms", () => {
  it.each([
    ['${A:-x}', 'alpha'],
    ['${NOBODY:-x}', 'x'],
    ['${NOBODY-$A}', 'alpha'],
    ['${EMPTY:-x}', 'x'],
    ['${EMPTY-x}', ''],
    ['${A:+y}', 'y'],
    ['${NOBODY+y}', ''],
    ['$A/${B_2:-x}', 'alpha/$A'],
  ])('make %j to %j', (text, expected) => {
    expect(expandPosix(text, lookup)).toBe(expected);
  });
});
