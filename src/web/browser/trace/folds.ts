import type { TraceSection } from '../../trace/sections.js';
import type { HiddenRange } from './row-map.js';

/** Which sections are closed. */
export interface Folds {
  setSections(sections: readonly TraceSection[]): void;
  toggle(titleLine: number): void;
  all(closed: boolean): void;
  /** Opens what hides a line. */
  reveal(line: number): void;
  hidden(): HiddenRange[];
  /** Of a line that is the title of a section with content. */
  titleAt(line: number): { open: boolean; seconds: number | undefined } | undefined;
}

export function createFolds(): Folds {
  let sections = new Map<number, TraceSection>();
  /** By title line: what the reader chose, else what the script asked for. */
  const chosen = new Map<number, boolean>();
  const isClosed = ({ start, collapsed }: TraceSection) => chosen.get(start) ?? collapsed === true;
  const endOf = ({ end }: TraceSection) => end ?? Infinity;

  return {
    setSections(list) {
      // Of two with one title line the first is the outer one.
      sections = new Map(list.toReversed().map((section) => [section.start, section]));
    },
    toggle(titleLine) {
      const section = sections.get(titleLine);
      if (section !== undefined) chosen.set(titleLine, !isClosed(section));
    },
    all(closed) {
      for (const start of sections.keys()) chosen.set(start, closed);
    },
    reveal(line) {
      for (const section of sections.values()) {
        if (section.start < line && line < endOf(section)) chosen.set(section.start, false);
      }
    },
    hidden: () =>
      [...sections.values()].filter(isClosed).map((section) => ({ start: section.start + 1, end: endOf(section) })),
    titleAt(line) {
      const section = sections.get(line);
      if (section === undefined || endOf(section) <= line + 1) return undefined;
      const seconds = section.endedAt === undefined ? undefined : Math.max(0, section.endedAt - section.startedAt);
      return { open: !isClosed(section), seconds };
    },
  };
}
