import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Logger } from '../telemetry/logger.js';
import { createPreparingNotice } from './preparing-notice.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** An attempt that takes so long, after one with these heartbeats. */
async function attempt(
  ms: number,
  heartbeatDetails?: unknown,
  assertHeld: () => void = () => undefined,
): Promise<{ signals: number; progress: unknown }> {
  let signals = 0;
  const signal = () => Promise.resolve(void (signals += 1));
  const client = { workflow: { getHandle: () => ({ signal }) } } as unknown as Client;
  const logger = { warn: () => undefined } as unknown as Logger;
  const progress = await new MockActivityEnvironment({ heartbeatDetails }).run(async () => {
    const notice = createPreparingNotice({ client, logger }, 'job/1');
    notice.begin({ assertHeld });
    await vi.advanceTimersByTimeAsync(ms);
    notice.end();
    await vi.advanceTimersByTimeAsync(60_000);
    return notice.progress();
  });
  return { signals, progress };
}

describe('that a machine is being made', () => {
  it('is told when it takes longer than a second', async () => {
    expect((await attempt(5_000)).signals).toBe(1);
    expect((await attempt(500)).signals).toBe(0);
  });

  it('is not told by an attempt that was overtaken', async () => {
    const overtaken = () => {
      throw new Error('overslept');
    };

    expect((await attempt(5_000, undefined, overtaken)).signals).toBe(0);
  });

  it('is told once, however many attempts it takes', async () => {
    const { progress } = await attempt(5_000);

    expect(await attempt(5_000, progress)).toEqual({ signals: 0, progress });
    expect((await attempt(5_000, (await attempt(500)).progress)).signals).toBe(1);
  });
});
