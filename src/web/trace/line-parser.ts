import { createLineBuffer, type TraceLine } from './line-buffer.js';
import { applySgr, PLAIN, styleCode, type TextStyle } from './style.js';

/** A section's border in the text, in GitLab's format (gitlab-protocol section 4.1). */
export interface SectionMark {
  kind: 'start' | 'end';
  name: string;
  unixSeconds: number;
  /** The script asks for it to be shown closed. */
  collapsed: boolean;
}

export interface LineSink {
  line(line: TraceLine): void;
  /** Applies from the next line on. */
  mark(mark: SectionMark): void;
  /** After everything of a line of the text has been told. */
  newline(): void;
}

export interface LineParser {
  /** Any pieces of the text, in order. */
  push(text: string): void;
  /** What the last line, not ended yet, holds so far. */
  pending(): TraceLine | undefined;
  style(): TextStyle;
}

type Mode = 'text' | 'escape' | 'charset' | 'csi' | 'string' | 'string-escape';

const CONTROL = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;
const MARK = /section_(start|end):(\d{1,12}):([\w.:-]{1,120})(?:\[([\w=,]{0,100})\])?$/;
const MARK_CHARS = 300;
/** No honest code has more. */
const MAX_PARAMETERS = 64;
/** Borders of sections in one line of the text; a script that prints more is not heard on it. */
const MAX_MARKS_A_LINE = 100;

/**
 * Text of a terminal as lines of styled text. Colours and section marks are understood; `\r` starts the line anew, as progress
 * bars mean it; every other control code is dropped, so nothing moves a cursor. However the text is split, the lines are the same.
 */
export function createLineParser(sink: LineSink, start: TextStyle = PLAIN): LineParser {
  const buffer = createLineBuffer();
  let style = start;
  let code = styleCode(start);
  let mode: Mode = 'text';
  let parameters = '';
  /** The last characters since the last control code: a mark ends with `\r`. */
  let tail = '';
  let returned = false;
  let marks = 0;

  function push(text: string): void {
    let at = 0;
    while (at < text.length) at = mode === 'text' ? plainText(text, at) : control(text.charCodeAt(at), text, at);
  }

  function plainText(text: string, at: number): number {
    CONTROL.lastIndex = at;
    const end = CONTROL.exec(text)?.index ?? text.length;
    if (end > at) write(text.slice(at, end));
    if (end === text.length) return end;
    controlCharacter(text.charCodeAt(end));
    return end + 1;
  }

  function write(text: string): void {
    if (returned) buffer.clear();
    returned = false;
    buffer.append(text, code);
    tail = (tail + text).slice(-MARK_CHARS);
  }

  function controlCharacter(character: number): void {
    if (character === 0x0a) newline();
    else if (character === 0x0d) carriageReturn();
    else if (character === 0x1b) mode = 'escape';
    else if (character === 0x9b) startCsi();
    tail = '';
  }

  function newline(): void {
    // A line that held nothing but marks is none.
    if (marks === 0 || !buffer.isEmpty()) sink.line(buffer.take());
    buffer.clear();
    returned = false;
    marks = 0;
    sink.newline();
  }

  function carriageReturn(): void {
    const match = MARK.exec(tail);
    if (match === null) {
      returned = true;
      return;
    }
    buffer.removeEnd(match[0].length);
    marks += 1;
    if (marks > MAX_MARKS_A_LINE) return;
    // A script that does not end its last line: the section begins or ends on a line of its own all the same.
    if (!buffer.isEmpty()) sink.line(buffer.take());
    buffer.clear();
    sink.mark({
      kind: match[1] === 'start' ? 'start' : 'end',
      unixSeconds: Number(match[2]),
      name: match[3] ?? '',
      collapsed: /(^|,)collapsed=true(,|$)/.test(match[4] ?? ''),
    });
  }

  function startCsi(): void {
    mode = 'csi';
    parameters = '';
  }

  /** One character inside of a control code. */
  function control(character: number, text: string, at: number): number {
    // A new line, or another code, ends an unfinished one: nothing can swallow the rest of a trace.
    if (character === 0x0a) mode = 'text';
    if (mode === 'text') return at;
    if (character === 0x1b && mode !== 'string') mode = 'escape';
    else if (mode === 'escape') afterEscape(character);
    else if (mode === 'charset') mode = 'text';
    else if (mode === 'csi') insideCsi(character, text, at);
    else insideString(character);
    return at + 1;
  }

  function afterEscape(character: number): void {
    if (character === 0x5b) startCsi();
    else if (character === 0x5d || character === 0x50 || character === 0x58 || character === 0x5e || character === 0x5f)
      mode = 'string';
    else mode = character >= 0x20 && character <= 0x2f ? 'charset' : 'text';
  }

  function insideCsi(character: number, text: string, at: number): void {
    if (character >= 0x20 && character <= 0x3f) {
      if (parameters.length <= MAX_PARAMETERS) parameters += text.charAt(at);
      return;
    }
    mode = 'text';
    if (character === 0x6d && /^[\d;:]*$/.test(parameters) && parameters.length <= MAX_PARAMETERS) {
      style = applySgr(style, parameters);
      code = styleCode(style);
    } else if (character === 0x4b && parameters === '2') buffer.clear();
  }

  /** Titles, links and the like: to their end (BEL, or ESC and a backslash). */
  function insideString(character: number): void {
    if (character === 0x07 || character === 0x9c) mode = 'text';
    else if (character === 0x1b) mode = 'string-escape';
    else if (mode === 'string-escape') mode = character === 0x5c ? 'text' : 'string';
  }

  return {
    push,
    pending: () => (buffer.isEmpty() ? undefined : buffer.peek()),
    style: () => style,
  };
}
