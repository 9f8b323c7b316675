import { describe, expect, it } from 'vitest';
import { createStarts } from './starts.js';

const LONG_MS = 60_000;
const never = new AbortController().signal;

describe('a listener for starts', () => {
  it('is woken by a start of its container', async () => {
    const starts = createStarts();
    const listener = starts.listen('build');
    const waiting = listener.wait(LONG_MS, never);
    starts.started('build');
    expect(await waiting).toBe(true);
  });

  it('has heard a start that came before it waited, and hears it once', async () => {
    const starts = createStarts();
    const listener = starts.listen('build');
    starts.started('build');
    expect(await listener.wait(LONG_MS, never)).toBe(true);
    expect(await listener.wait(1, never)).toBe(false);
  });

  it("does not hear another container's start, nor one after it was closed", async () => {
    const starts = createStarts();
    const listener = starts.listen('build');
    starts.started('helper');
    expect(await listener.wait(1, never)).toBe(false);
    listener.close();
    starts.started('build');
    expect(await listener.wait(1, never)).toBe(false);
  });

  it('ends its waiting with the signal', async () => {
    const abort = new AbortController();
    const waiting = createStarts().listen('build').wait(LONG_MS, abort.signal);
    abort.abort();
    await expect(waiting).rejects.toThrow();
  });
});
