/** When something began and how long it takes: a wall clock that is set meanwhile changes neither. */
export interface Stopwatch {
  /** Unix milliseconds. */
  readonly startedAtMs: number;
  nowMs(): number;
}

/** @param notBeforeMs a moment that has passed by another machine's clock, on which this one follows */
export function startStopwatch(
  notBeforeMs = 0,
  clocks: { wall: () => number; steady: () => number } = { wall: Date.now, steady: () => performance.now() },
): Stopwatch {
  const startedAtMs = Math.max(clocks.wall(), notBeforeMs);
  const beganAtMs = clocks.steady();
  return { startedAtMs, nowMs: () => startedAtMs + Math.round(clocks.steady() - beganAtMs) };
}
