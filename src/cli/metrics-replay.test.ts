import { describe, expect, it } from 'vitest';
import { parseSince, summary } from './metrics-replay.js';

describe('summary', () => {
  it('counts the outcomes in words', () => {
    const outcomes = ['stored', 'failed', 'stored', 'no_samples', 'uploaded'];

    expect(summary(outcomes.map((outcome) => ({ outcome })))).toBe(
      '1 no samples left, 1 still failing, 1 uploaded, 2 stored',
    );
    expect(summary([])).toBe('nothing to replay');
  });
});

describe('parseSince', () => {
  it('reads a length of time and a moment', () => {
    const before = Date.now();
    const since = parseSince('2h').getTime();
    expect(since).toBeGreaterThanOrEqual(before - 7_200_000);
    expect(since).toBeLessThanOrEqual(Date.now() - 7_200_000);
    expect(parseSince('2026-01-31T12:00:00Z').toISOString()).toBe('2026-01-31T12:00:00.000Z');
    expect(parseSince('2026-01-31').toISOString()).toBe('2026-01-31T00:00:00.000Z');
  });

  it.each(['yesterday', '', '2026-13-45', '-1h'])('refuses %j with what it takes', (text) => {
    expect(() => parseSince(text)).toThrow(/--since ".*" is neither/);
  });
});
