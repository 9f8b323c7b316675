import type { SectionMark } from './line-parser.js';

/** Lines `start` to `end` (exclusive, from 0); the first is its title. */
export interface TraceSection {
  name: string;
  start: number;
  /** Absent while it is open. */
  end?: number;
  startedAt: number;
  endedAt?: number;
  collapsed?: true;
}

/** More than that are a script's mischief, and are shown without a fold. */
const MAX_SECTIONS = 2_000;

/** Sections by their marks; one that ends closes those inside of it that never did. */
export function createSectionList(): { mark(mark: SectionMark, line: number): void; readonly all: TraceSection[] } {
  const all: TraceSection[] = [];
  const open: TraceSection[] = [];
  return {
    all,
    mark({ kind, name, unixSeconds, collapsed }, line) {
      if (kind === 'start') {
        if (all.length >= MAX_SECTIONS) return;
        const section: TraceSection = {
          name,
          start: line,
          startedAt: unixSeconds,
          ...(collapsed ? { collapsed } : {}),
        };
        all.push(section);
        open.push(section);
        return;
      }
      const at = open.findLastIndex((section) => section.name === name);
      if (at === -1) return;
      for (const section of open.splice(at)) {
        section.end = line;
        section.endedAt = unixSeconds;
      }
    },
  };
}
