/** Browsers lay out no element that is higher than some 16 or 33 million pixels. */
const MAX_HEIGHT = 8_000_000;

/** Between scroll positions and rows, also where all rows together are higher than an element can be. */
export interface ScrollMap {
  /** Of the element that is scrolled. */
  readonly height: number;
  /** The row at the upper edge, with its fraction. */
  rowAt(scrollTop: number): number;
  /** Where a row stands in the element, while it is scrolled to there. */
  topOf(row: number, scrollTop: number): number;
  /** Where to scroll for a row to be at the upper edge. */
  scrollTo(row: number): number;
}

export function createScrollMap(rows: number, rowHeight: number, viewHeight: number): ScrollMap {
  const whole = rows * rowHeight;
  const height = Math.min(whole, MAX_HEIGHT);
  const ratio = height <= viewHeight || whole === height ? 1 : (whole - viewHeight) / (height - viewHeight);
  return {
    height,
    rowAt: (scrollTop) => (scrollTop * ratio) / rowHeight,
    topOf: (row, scrollTop) => row * rowHeight - scrollTop * (ratio - 1),
    scrollTo: (row) => (row * rowHeight) / ratio,
  };
}
