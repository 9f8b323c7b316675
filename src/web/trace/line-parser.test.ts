import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyCharacter } from '../../../test/support/any-text.js';
import type { TraceLine } from './line-buffer.js';
import { createLineParser, type SectionMark } from './line-parser.js';
import { styleCode } from './style.js';

type Event = { line: TraceLine } | { mark: SectionMark } | 'newline';

function parse(...pieces: string[]): { events: Event[]; pending: TraceLine | undefined; style: string } {
  const events: Event[] = [];
  const parser = createLineParser({
    line: (line) => events.push({ line: structuredClone(line) }),
    mark: (mark) => events.push({ mark }),
    newline: () => events.push('newline'),
  });
  for (const piece of pieces) parser.push(piece);
  return { events, pending: structuredClone(parser.pending()), style: styleCode(parser.style()) };
}

function lines(text: string): TraceLine['spans'][] {
  const { events, pending } = parse(text);
  const ended = events.flatMap((event) => (typeof event === 'object' && 'line' in event ? [event.line.spans] : []));
  return pending === undefined ? ended : [...ended, pending.spans];
}

describe('text', () => {
  it('is cut into lines, the last one also while it grows', () => {
    expect(lines('a\n\nb')).toEqual([[['a']], [], [['b']]]);
  });

  it('is coloured as the codes say, over line ends too', () => {
    expect(lines('\x1b[31mred\nstill\x1b[0m not \x1b[1;4;97;48;5;208mmuch\x1b[m')).toEqual([
      [['red', 'f1']],
      [['still', 'f1'], [' not '], ['much', 'b u f15 g#ff8700']],
    ]);
    expect(lines('\x1b[38;2;1;2;255ma\x1b[39mb\x1b[7mc\x1b[27;3;9;2md')).toEqual([
      [['a', 'f#0102ff'], ['b'], ['c', 'r'], ['d', 'd i s']],
    ]);
  });

  it('begins anew after a carriage return, as progress bars mean it', () => {
    expect(lines('10 %\r50 %\r\x1b[K100 %\r\nnext')).toEqual([[['100 %']], [['next']]]);
    expect(lines('gone\x1b[2Khere')).toEqual([[['here']]]);
  });

  it('drops what moves a cursor, rings, sets titles or hides', () => {
    expect(
      lines('a\x1b[2J\x1b[999999999;1Hb\x07\x08\x00\x1b]0;title\x07c\x1b]8;;http://x\x1b\\d\x1b(Be\x1b7f\u009b31mg'),
    ).toEqual([[['abcdef'], ['g', 'f1']]]);
  });

  it('is not swallowed by a code that never ends', () => {
    expect(lines('\x1b[31\nb')).toEqual([[], [['b']]]);
    expect(lines('\x1b]0;title\nb\x1bPdata\nc')).toEqual([[], [['b']], [['c']]]);
    expect(lines(`\x1b[${'1;'.repeat(100_000)}mx`)).toEqual([[['x']]]);
  });
});

describe('a section', () => {
  it('is no text', () => {
    const { events } = parse(
      'section_start:12:my_part[collapsed=true]\r\x1b[0KTitle\nx\nsection_end:15:my_part\r\x1b[0K\n',
    );

    expect(events).toEqual([
      { mark: { kind: 'start', unixSeconds: 12, name: 'my_part', collapsed: true } },
      { line: { spans: [['Title']], cut: 0 } },
      'newline',
      { line: { spans: [['x']], cut: 0 } },
      'newline',
      { mark: { kind: 'end', unixSeconds: 15, name: 'my_part', collapsed: false } },
      'newline',
    ]);
  });

  it('gets a line of its own after output that does not end its last one', () => {
    expect(lines('no newlinesection_end:1:a\r\x1b[0Ksection_start:1:b\r\x1b[0KB\n')).toEqual([
      [['no newline']],
      [['B']],
    ]);
  });

  it('is text when it is not at the end of one', () => {
    expect(lines('section_start:1:a is a mark\r\n')).toEqual([[['section_start:1:a is a mark']]]);
  });
});

describe('bounds', () => {
  it('hold for a line that is too long, and what is left out is counted', () => {
    const { events } = parse('x'.repeat(10_000_000), '\n');
    const [first] = events;

    expect(first).toEqual({ line: { spans: [['x'.repeat(4_000)]], cut: 9_996_000 } });
  });

  it('hold for a style on every character', () => {
    const bomb = Array.from({ length: 100_000 }, (_, index) => `\x1b[${String(31 + (index % 6))}m*`).join('');
    const [only] = lines(bomb);

    expect(only?.length).toBe(250);
    expect(only?.map(([text]) => text).join('')).toHaveLength(4_000);
  });

  it('hold for marks without end', () => {
    const { events } = parse('xsection_start:1:a\r'.repeat(10_000));

    expect(events.length).toBeLessThanOrEqual(200);
  });
});

const pieces = fc.array(
  fc.oneof(
    fc.string({ unit: anyCharacter, maxLength: 8 }),
    fc.constantFrom(
      '\n',
      '\r',
      '\x1b',
      '\x1b[',
      '[',
      'm',
      ';',
      '\x1b[31m',
      '\x1b[0K',
      '\x1b[2K',
      '\x1b]0;',
      '\x07',
      '\x1b\\',
      '38;5;1',
    ),
    fc.constantFrom(
      'section_start:1:a',
      'section_end:22:a',
      'section_start:3:b[collapsed=true]',
      '\r\x1b[0K',
      'text',
      '<b>',
    ),
    fc.integer({ min: 0, max: 120 }).map((code) => `\x1b[${String(code)}m`),
  ),
  { maxLength: 40 },
);

describe('the parser', () => {
  it('gives the same for any split', () => {
    fc.assert(
      fc.property(pieces, fc.array(fc.nat(400), { maxLength: 12 }), (parts, cuts) => {
        const text = parts.join('');
        const places = [...new Set(cuts.map((cut) => Math.min(cut, text.length)))].sort((a, b) => a - b);
        const split = [0, ...places].map((from, index) => text.slice(from, places[index] ?? text.length));

        expect(parse(...split)).toEqual(parse(text));
        expect(parse(...text)).toEqual(parse(text));
      }),
      { numRuns: 400 },
    );
  });

  it('lets no control character and no unknown style through', () => {
    fc.assert(
      fc.property(pieces, (parts) => {
        for (const [text, style] of lines(parts.join('')).flat()) {
          expect(text).not.toMatch(/[\x00-\x08\x0a-\x1f\x7f-\x9f]/);
          expect(style ?? 'b').toMatch(/^(([bdiusr]|[fg](1?\d|#[0-9a-f]{6}))( (?!$)|$))+$/);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('goes on in the same way from any line’s begin, given the style there', () => {
    fc.assert(
      fc.property(pieces, pieces, (before, after) => {
        const head = `${before.join('')}\n`;
        const whole: TraceLine[] = [];
        const sink = (into: TraceLine[]) => ({
          line: (l: TraceLine) => into.push(structuredClone(l)),
          mark() {},
          newline() {},
        });
        const first = createLineParser(sink(whole));
        first.push(head);
        const known = whole.length;
        const rest: TraceLine[] = [];
        const second = createLineParser(sink(rest), first.style());
        first.push(`${after.join('')}\n`);
        second.push(`${after.join('')}\n`);

        expect(rest).toEqual(whole.slice(known));
      }),
    );
  });
});
