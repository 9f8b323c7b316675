import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applySgr, PLAIN, styleCode } from './style.js';

const after = (...codes: string[]) => styleCode(codes.reduce(applySgr, PLAIN));

describe('applySgr', () => {
  it('takes a colour in the form of ISO 8613-6, with and without a colour space', () => {
    expect(after('38:2::1:2:255')).toBe('f#0102ff');
    expect(after('38:2:1:2:255')).toBe('f#0102ff');
    expect(after('48:2:0:1:2:255')).toBe('g#0102ff');
    expect(after('38:5:9')).toBe('f9');
    expect(after('1;38:2::1:2:255;4')).toBe('b u f#0102ff');
    expect(after('38:2::1:2:255:0:1')).toBe('f#0102ff');
  });

  it('takes a kind of underline for an underline, and none for none', () => {
    expect(after('4:3')).toBe('u');
    expect(after('4', '4:0')).toBe('');
  });

  it('still takes a colour that is spread over several parameters', () => {
    expect(after('38;2;1;2;255;1')).toBe('b f#0102ff');
    expect(after('38;5;9;1')).toBe('b f9');
  });

  it('passes over sub-parameters that it does not know, and nothing else', () => {
    expect(after('58:2::1:2:3;1')).toBe('b');
    expect(after('38:2:1:2;1')).toBe('b');
    expect(after('3:1;1')).toBe('b i');
    const numbers = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(numbers, (subParameters) => {
        expect(after(`38:${subParameters.join(':')};1`)).toMatch(/^b( f(\d+|#[0-9a-f]{6}))?$/);
      }),
    );
  });
});
