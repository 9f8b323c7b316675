import type { Broken } from './world.js';

/** What is promised after a repair (docs/operations.md), and what a job needs by itself: a sleep in after_script, an upload. */
const GRACE_MS = 10_000;
/** Beyond that: this machine is busy with other jobs, and a fault of a moment ago may have been half mended only. */
const STANDSTILL_MS = 20_000;

/**
 * Where a trace stood still between its first and its last growth though nothing was broken, nor had been a moment ago.
 * @param grewAt Unix milliseconds, ascending
 * @returns a sentence each
 */
export function standstillsOf(grewAt: readonly number[], broken: readonly Broken[]): string[] {
  return grewAt.slice(1).flatMap((end, index) => {
    const begin = grewAt[index] ?? end;
    const whole = wholeMs(begin, end, broken);
    if (whole <= STANDSTILL_MS) return [];
    const [stood, unexplained] = [(end - begin) / 1000, whole / 1000];
    return [
      `the trace stood still for ${stood.toFixed(1)} s; for ${unexplained.toFixed(1)} s of them nothing was broken`,
    ];
  });
}

/** So much of that time in which all was whole, and had been for long enough. */
function wholeMs(begin: number, end: number, broken: readonly Broken[]): number {
  const excused = broken
    .filter(({ fault }) => !isElsewhere(fault))
    .map(({ from, to }) => ({ from: Math.max(begin, from), to: Math.min(end, to + GRACE_MS) }))
    .filter(({ from, to }) => from < to)
    .sort((one, other) => one.from - other.from);
  let whole = 0;
  let at = begin;
  for (const { from, to } of excused) {
    whole += Math.max(0, from - at);
    at = Math.max(at, to);
  }
  return whole + Math.max(0, end - at);
}

/** No trace waits for it. */
function isElsewhere(fault: Broken['fault']): boolean {
  return (
    fault.part === 'prometheus' ||
    (fault.part === 'coordinator' && fault.kind === 'answers' && fault.endpoint === 'upload')
  );
}
