import { MASK, type ByteStage } from './phrase-masker.js';

/**
 * Hides what follows known prefixes: the prefix stays, the run of value characters after it becomes one `[MASKED]`. Exact over any
 * split of the stream.
 *
 * @param prefixes ASCII; of two that fit at one place the longer counts
 * @param isValueByte whether a byte goes on a value
 */
export function createPrefixMasker(options: {
  prefixes: readonly string[];
  ignoreCase: boolean;
  isValueByte: (byte: number) => boolean;
}): ByteStage {
  const fold = options.ignoreCase ? (text: string) => text.toLowerCase() : (text: string) => text;
  const prefixes = [...new Set(options.prefixes.map(fold))]
    .filter((prefix) => prefix !== '')
    .sort((a, b) => b.length - a.length);
  if (prefixes.length === 0) return { push: (chunk) => chunk, flush: () => Buffer.alloc(0) };
  const pattern = new RegExp(prefixes.map(escapeRegExp).join('|'), options.ignoreCase ? 'gi' : 'g');
  let held: Buffer = Buffer.alloc(0);
  let state: 'text' | 'value' | 'masked' = 'text';

  /** How many bytes at the end may be the beginning of a prefix, or of a longer one than was found there. */
  function undecidedTail(text: string, from: number): number {
    const longest = prefixes[0]?.length ?? 0;
    for (let length = Math.min(longest - 1, text.length - from); length > 0; length--) {
      const tail = fold(text.slice(text.length - length));
      if (prefixes.some((prefix) => prefix.length > length && prefix.startsWith(tail))) return length;
    }
    return 0;
  }

  function skipValue(input: Buffer, from: number, output: Buffer[]): number {
    let at = from;
    while (at < input.length && options.isValueByte(input[at] ?? 0)) at += 1;
    if (at > from && state === 'value') {
      output.push(MASK);
      state = 'masked';
    }
    if (at < input.length) state = 'text';
    return at;
  }

  function advance(input: Buffer, ended: boolean): Buffer {
    const text = input.toString('latin1');
    const output: Buffer[] = [];
    let at = 0;
    const hold = ended ? 0 : undecidedTail(text, 0);
    const decided = text.length - hold;
    for (;;) {
      if (state !== 'text') at = skipValue(input, at, output);
      if (state !== 'text' || at >= decided) break;
      pattern.lastIndex = at;
      const found = pattern.exec(text);
      if (found === null || found.index >= decided) break;
      const end = found.index + found[0].length;
      output.push(input.subarray(at, end));
      at = end;
      state = 'value';
    }
    const shown = Math.max(at, decided);
    if (state === 'text') output.push(input.subarray(at, shown));
    held = input.subarray(shown);
    return Buffer.concat(output);
  }

  return {
    push: (chunk) => advance(held.length === 0 ? chunk : Buffer.concat([held, chunk]), false),
    flush: () => {
      const output = advance(held, true);
      state = 'text';
      return output;
    },
  };
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
