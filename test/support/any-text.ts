import fc from 'fast-check';

/**
 * A character of any kind, ASCII often. As fast-check's unit `binary`, whose table of them all takes a second or two to be made, in
 * each file anew.
 */
export const anyCharacter = fc
  .oneof(fc.nat(0x7f), fc.nat(0x10_ffff))
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));
