import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Engine, Swept } from '../machines/engine.js';
import { silentLogger } from '../telemetry/logger.js';
import { createSweeps, type Sweeps } from './sweeps.js';

const INTERVAL_MS = 60_000;
const SOON_MS = 10_000;
const SETTLED: Swept = { removed: [], unsettled: false };

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** @param answers of one engine's sweeps, in their order; then everything is settled */
function start(answers: (Swept | Error)[] = []): { sweeps: Sweeps; startedAt: number[]; stop(): Promise<void> } {
  const startedAt: number[] = [];
  const stopping = new AbortController();
  const begun = Date.now();
  const engine = {
    name: 'e',
    sweep() {
      startedAt.push((Date.now() - begun) / 1000);
      const answer = answers.shift() ?? SETTLED;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  } as unknown as Engine;
  const sweeps = createSweeps({
    engines: [engine],
    jobs: { isOpen: () => Promise.resolve(true), isPast: () => Promise.resolve(false) },
    intervalMs: INTERVAL_MS,
    soonMs: SOON_MS,
    signal: stopping.signal,
    logger: silentLogger,
    after: () => Promise.resolve(),
  });
  const running = sweeps.run();
  return {
    sweeps,
    startedAt,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

describe('sweeps', () => {
  it('are made at once and every interval', async () => {
    const { startedAt, stop } = start();
    await vi.advanceTimersByTimeAsync(2.5 * INTERVAL_MS);
    await stop();

    expect(startedAt).toEqual([0, 60, 120]);
  });

  it.each([
    ['something is half made', { removed: [], unsettled: true }],
    ['nobody answers', new Error('connect ECONNREFUSED')],
  ])('come soon while %s', async (_, answer) => {
    const { startedAt, stop } = start([answer, answer]);
    await vi.advanceTimersByTimeAsync(INTERVAL_MS + 2 * SOON_MS + 1);
    await stop();

    expect(startedAt).toEqual([0, 10, 20, 80]);
  });

  it('come soon when something may have been left over, and once for many of those', async () => {
    const { sweeps, startedAt, stop } = start();
    await vi.advanceTimersByTimeAsync(5_000);
    sweeps.soon();
    await vi.advanceTimersByTimeAsync(1_000);
    sweeps.soon();
    await vi.advanceTimersByTimeAsync(INTERVAL_MS);
    await stop();

    expect(startedAt).toEqual([0, 15]);
  });

  it('end at once when they are told to', async () => {
    const { sweeps, stop, startedAt } = start();
    await vi.advanceTimersByTimeAsync(1_000);
    sweeps.soon();
    await stop();
    await vi.advanceTimersByTimeAsync(10 * INTERVAL_MS);

    expect(startedAt).toEqual([0]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
