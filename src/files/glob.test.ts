import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createGlob } from './glob.js';

function plainly(glob: string[], path: string[]): boolean {
  const [first, ...rest] = glob;
  if (first === undefined) return path.length === 0;
  if (first === '**') return plainly(rest, path) || (path.length > 0 && plainly(glob, path.slice(1)));
  const [name, ...below] = path;
  return name !== undefined && plainlyOne(first, name) && plainly(rest, below);
}

function plainlyOne(glob: string, name: string): boolean {
  if (glob === '') return name === '';
  if (glob.startsWith('*')) return plainlyOne(glob.slice(1), name) || (name !== '' && plainlyOne(glob, name.slice(1)));
  return name !== '' && (glob.startsWith('?') || glob[0] === name[0]) && plainlyOne(glob.slice(1), name.slice(1));
}

describe('a glob', () => {
  it.each([
    ['*.txt', 'a.txt', true],
    ['*.txt', 'd/a.txt', false],
    ['*', '.hidden', true],
    ['**', 'a/b/c', true],
    ['**/*.txt', 'a.txt', true],
    ['**/*.txt', 'a/b/c.txt', true],
    ['a/**', 'a/b/c', true],
    ['a/**', 'a', true],
    ['a/**/d', 'a/d', true],
    ['a/**/d', 'a/b/c/d', true],
    ['a/**/d', 'ad', false],
    ['a**b', 'axxb', true],
    ['a**b', 'a/b', false],
    ['file-?.log', 'file-1.log', true],
    ['file-?.log', 'file-10.log', false],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[^a-c]x', 'dx', true],
    ['[]]', ']', true],
    ['[ab', '[ab', true],
    ['{a,b}/*.{js,ts}', 'b/x.ts', true],
    ['{a,b{c,d}}', 'bd', true],
    ['{a,b', '{a,b', true],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['+(a)', 'a', false],
    ['!a', 'b', false],
    ['ä*ß', 'äöß', true],
  ])('%j on %j: %s', (pattern, path, expected) => {
    expect(createGlob(pattern)(path)).toBe(expected);
  });

  it('agrees with the plainest way to write it, whatever pattern and path', () => {
    const segment = fc.string({ unit: fc.constantFrom('a', 'b', '?', '*'), minLength: 1, maxLength: 4 });
    const pattern = fc.array(fc.oneof(segment, fc.constant('**')), { minLength: 1, maxLength: 4 });
    const name = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(pattern, fc.array(name, { minLength: 1, maxLength: 4 }), (glob, path) => {
        expect(createGlob(glob.join('/'))(path.join('/'))).toBe(plainly(glob, path));
      }),
      { numRuns: 3000 },
    );
  });

  it('takes no time that a pattern or a file name could be made to cost', () => {
    const name = 'a'.repeat(255);
    const steps = createGlob(`${'*a'.repeat(100)}b`);
    const deep = createGlob(`${'**/a/'.repeat(100)}b`);
    const braces = createGlob('{a,b}'.repeat(60));

    // By regular expressions the first alone would take longer than the universe has.
    expect([steps(name), deep('a/'.repeat(300) + 'c'), braces(name)]).toEqual([false, false, false]);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]!^-,\\*?/ab') }), fc.string(), (pattern, path) => {
        expect(typeof createGlob(pattern)(path)).toBe('boolean');
      }),
    );
  });
});
