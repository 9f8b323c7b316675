import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alignToEnd, chooseResolution, MAX_POINTS_PER_JOB, splitRange, type QueryRange } from './range.js';

function pointsOf({ startMs, endMs, stepMs }: QueryRange): number[] {
  const points: number[] = [];
  for (let atMs = startMs; atMs <= endMs; atMs += stepMs) points.push(atMs);
  return points;
}

const windows = fc
  .record({
    startMs: fc.integer({ min: 0, max: 2_000_000_000_000 }),
    lengthMs: fc.integer({ min: 0, max: 40_000_000 }),
  })
  .map(({ startMs, lengthMs }) => ({ startMs, endMs: startMs + lengthMs }));
const steps = fc.integer({ min: 1000, max: 60_000 });

describe('chooseResolution', () => {
  it('keeps any job within 1,000 points', () => {
    fc.assert(
      fc.property(windows, steps, fc.integer({ min: 0, max: 60_000 }), (window, stepMs, scrapeIntervalMs) => {
        const chosen = chooseResolution(window.endMs - window.startMs, stepMs, scrapeIntervalMs);
        // Collected to half a scrape after the window's end.
        const asked = { ...window, endMs: window.endMs + Math.floor(scrapeIntervalMs / 2) };

        expect(pointsOf(alignToEnd(asked, chosen.stepMs)).length).toBeLessThanOrEqual(MAX_POINTS_PER_JOB);
        expect(chosen.stepMs % stepMs).toBe(0);
        expect(chosen.intervalMs).toBeGreaterThanOrEqual(Math.max(chosen.stepMs, 2 * scrapeIntervalMs));
      }),
    );
  });

  it('takes the configured step for a short job', () => {
    const both = { stepMs: 5000, intervalMs: 5000 };

    expect(chooseResolution(60_000, 5000)).toEqual(both);
    expect(chooseResolution(60_000, 5000, 2500)).toEqual(both);
    expect(chooseResolution(0, 5000, 1000)).toEqual(both);
  });

  it('takes rates over two scrapes, so that they have two samples, and points no closer than scrapes', () => {
    expect(chooseResolution(60_000, 5000, 15_000)).toEqual({ stepMs: 15_000, intervalMs: 30_000 });
    expect(chooseResolution(60_000, 1000, 1000)).toEqual({ stepMs: 1000, intervalMs: 2000 });
    expect(chooseResolution(60_000, 5000, 7000)).toEqual({ stepMs: 10_000, intervalMs: 15_000 });
  });
});

describe('alignToEnd', () => {
  it('counts back from the end, stays in the window, and leaves less than a step before the first point', () => {
    fc.assert(
      fc.property(windows, steps, (window, stepMs) => {
        const chosen = chooseResolution(window.endMs - window.startMs, stepMs).stepMs;
        const points = pointsOf(alignToEnd(window, chosen));

        expect(points.at(-1)).toBe(window.endMs);
        expect(points[0]).toBeGreaterThanOrEqual(window.startMs);
        expect((points[0] ?? 0) - window.startMs).toBeLessThan(chosen);
      }),
    );
  });

  it('gives a window of no length one point', () => {
    expect(pointsOf(alignToEnd({ startMs: 7000, endMs: 7000 }, 5000))).toEqual([7000]);
  });
});

describe('splitRange', () => {
  it('covers every point exactly once and in order, whatever the limit', () => {
    const ranges = fc.record({
      startMs: fc.integer({ min: 0, max: 2_000_000_000_000 }),
      lengthMs: fc.integer({ min: 0, max: 300_000 }),
      stepMs: fc.integer({ min: 100, max: 5000 }),
    });
    fc.assert(
      fc.property(ranges, fc.integer({ min: 1, max: 50 }), ({ startMs, lengthMs, stepMs }, maxPoints) => {
        const range = { startMs, endMs: startMs + lengthMs, stepMs };
        const parts = splitRange(range, maxPoints);

        expect(parts.flatMap(pointsOf)).toEqual(pointsOf(range));
        for (const part of parts) expect(pointsOf(part).length).toBeLessThanOrEqual(maxPoints);
      }),
    );
  });

  it('splits only what Prometheus would refuse', () => {
    expect(splitRange({ startMs: 0, endMs: 10_999_000, stepMs: 1000 })).toHaveLength(1);
    expect(splitRange({ startMs: 0, endMs: 11_000_000, stepMs: 1000 })).toHaveLength(2);
  });
});
