/** Text and its style's code (`styleCode`), which is left out when it is plain. */
export type TraceSpan = [text: string] | [text: string, style: string];

export interface TraceLine {
  spans: TraceSpan[];
  /** Characters that are not shown, because the line is too long. */
  cut: number;
}

/** What a browser lays out without a pause, and far more than anybody reads of one line. */
const MAX_CHARS = 4_000;
/** A style for every character is no text; what follows is shown in the last one. */
const MAX_SPANS = 250;

/** A line as it grows, never larger than its bounds. */
export interface LineBuffer {
  append(text: string, style: string): void;
  /** Takes characters from the end again. */
  removeEnd(count: number): void;
  clear(): void;
  isEmpty(): boolean;
  peek(): TraceLine;
  /** As `peek`; the buffer is to be cleared next. */
  take(): TraceLine;
}

export function createLineBuffer(): LineBuffer {
  let spans: { text: string; style: string }[] = [];
  let chars = 0;
  let cut = 0;

  const peek = (): TraceLine => ({
    spans: spans.map(({ text, style }) => (style === '' ? [text] : [text, style])),
    cut,
  });

  return {
    append(text, style) {
      const shown = text.slice(0, Math.max(0, MAX_CHARS - chars));
      cut += text.length - shown.length;
      if (shown === '') return;
      chars += shown.length;
      const last = spans.at(-1);
      if (last !== undefined && (last.style === style || spans.length >= MAX_SPANS)) last.text += shown;
      else spans.push({ text: shown, style });
    },
    removeEnd(count) {
      let left = count - Math.min(cut, count);
      cut -= count - left;
      chars -= left;
      for (let last = spans.at(-1); last !== undefined && left > 0; last = spans.at(-1)) {
        const taken = Math.min(left, last.text.length);
        last.text = last.text.slice(0, last.text.length - taken);
        left -= taken;
        if (last.text === '') spans.pop();
      }
    },
    clear() {
      spans = [];
      chars = 0;
      cut = 0;
    },
    isEmpty: () => chars === 0 && cut === 0,
    peek,
    take: peek,
  };
}
