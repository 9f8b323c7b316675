import { createFolds } from './folds.js';
import { createLineCache } from './line-cache.js';
import type { RowFacts } from './row-element.js';
import { createRowList } from './row-list.js';
import { createRowMap, type RowMap } from './row-map.js';
import { createScrollMap, type ScrollMap } from './scroll-map.js';
import type { TraceServer, TraceState } from './server.js';

const ROW_HEIGHT = 20;
/** Rows beyond the edges, so that scrolling does not show them being made. */
const BEYOND = 20;

export interface TraceView {
  /** What the server has told. */
  update(state: TraceState): void;
  /** Scrolls to a line and marks it. @param line from 0 */
  goTo(line: number): void;
  setHits(lines: readonly number[]): void;
  follow(on: boolean): void;
  foldAll(closed: boolean): void;
}

export interface TraceElements {
  scroll: HTMLElement;
  space: HTMLElement;
  rows: HTMLElement;
}

/**
 * A trace of any length: of its lines only those in sight are elements, and only those near are loaded.
 * @param onFollow the reader has scrolled away from the end, or back to it
 */
export function createTraceView(
  elements: TraceElements,
  server: TraceServer,
  onFollow: (on: boolean) => void,
): TraceView {
  const { scroll, space, rows } = elements;
  const cache = createLineCache({ load: (from, count) => server.lines(from, count), loaded: () => redraw() });
  const folds = createFolds();
  const list = createRowList(rows);
  let state: TraceState = { bytes: 0, lines: 0, complete: false, sections: [] };
  let rowMap: RowMap = createRowMap(0, []);
  let scrollMap: ScrollMap = createScrollMap(0, ROW_HEIGHT, 0);
  let marked = -1;
  let hits = new Set<number>();
  let following = false;
  let planned = false;
  let drawnTop = 0;

  function redraw(): void {
    if (planned) return;
    planned = true;
    requestAnimationFrame(() => {
      planned = false;
      draw();
    });
  }

  function layOut(): void {
    rowMap = createRowMap(state.lines, folds.hidden());
    scrollMap = createScrollMap(rowMap.rows, ROW_HEIGHT, scroll.clientHeight);
    space.style.height = `${String(scrollMap.height)}px`;
    // A short trace takes no more room than it needs, its horizontal scroll bar included.
    scroll.style.setProperty('--rows-height', `${String(scrollMap.height + 16)}px`);
    if (following) scroll.scrollTop = scroll.scrollHeight;
    redraw();
  }

  function draw(): void {
    const top = scroll.scrollTop;
    const visible = Math.ceil(scroll.clientHeight / ROW_HEIGHT);
    const first = Math.max(0, Math.floor(scrollMap.rowAt(top)) - BEYOND);
    const last = Math.min(rowMap.rows, first + visible + 2 * BEYOND);
    const made: RowFacts[] = [];
    for (let row = first; row < last; row += 1) made.push(rowFacts(rowMap.lineOf(row)));
    list.show(made);
    rows.style.transform = `translateY(${String(scrollMap.topOf(first, top))}px)`;
    if (last > first) cache.want(rowMap.lineOf(first), rowMap.lineOf(last - 1) + 1);
  }

  function rowFacts(line: number): RowFacts {
    const section = folds.titleAt(line);
    return {
      line,
      content: cache.get(line),
      marked: line === marked,
      hit: hits.has(line),
      ...(section === undefined ? {} : { section }),
    };
  }

  scroll.addEventListener('scroll', () => {
    const atEnd = scroll.scrollTop + scroll.clientHeight >= scroll.scrollHeight - 2 * ROW_HEIGHT;
    // Only a reader scrolls up; that a following page grows is no scrolling.
    if (following && scroll.scrollTop < drawnTop - 1 && !atEnd) onFollow(false);
    drawnTop = scroll.scrollTop;
    redraw();
  });
  rows.addEventListener('click', (event) => {
    const button = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>('button.fold') : null;
    if (button === null) return;
    folds.toggle(Number(button.dataset['line']));
    layOut();
  });
  rows.addEventListener('keydown', (event) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    const line = event.target instanceof HTMLElement ? event.target.closest('a.number')?.textContent : undefined;
    if (step === 0 || line === undefined) return;
    // The rows beyond the edges are there, so that the next one always is; the browser scrolls to it.
    const to = rows.querySelector<HTMLElement>(
      `.row[data-line="${String(lineBeside(Number(line) - 1, step))}"] a.number`,
    );
    if (to === null) return;
    event.preventDefault();
    to.focus();
  });
  new ResizeObserver(() => layOut()).observe(scroll);

  /** The next line in sight, over what is folded. */
  function lineBeside(line: number, step: 1 | -1): number {
    return rowMap.lineOf(Math.min(rowMap.rows - 1, Math.max(0, rowMap.rowOf(line) + step)));
  }

  return {
    update(next) {
      state = next;
      cache.grown(state.lines);
      folds.setSections(state.sections);
      layOut();
    },
    goTo(line) {
      marked = line;
      folds.reveal(line);
      layOut();
      const middle = Math.floor(scroll.clientHeight / ROW_HEIGHT / 3);
      scroll.scrollTop = scrollMap.scrollTo(Math.max(0, rowMap.rowOf(line) - middle));
      redraw();
    },
    setHits(lines) {
      hits = new Set(lines);
      redraw();
    },
    follow(on) {
      following = on;
      if (on) scroll.scrollTop = scroll.scrollHeight;
      redraw();
    },
    foldAll(closed) {
      folds.all(closed);
      layOut();
    },
  };
}
