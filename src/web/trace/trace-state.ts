import type { TraceSection } from './sections.js';

/** What a page is told of a trace before it asks for lines. */
export interface TraceState {
  bytes: number;
  lines: number;
  /** Nothing comes any more. */
  complete: boolean;
  sections: TraceSection[];
}

export interface SearchResult {
  /** Numbers of lines, from 0. */
  lines: number[];
  /** There are more hits than these. */
  more: boolean;
}
