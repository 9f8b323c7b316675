import { describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../telemetry/logger.js';
import { createEngineHealth } from './engine-health.js';

function health(probe: () => Promise<void>, limit = 3) {
  const gauge = vi.fn();
  const back = vi.fn();
  const kept = createEngineHealth({
    engine: { name: 'e', probe },
    limit,
    logger: silentLogger,
    gauge: { set: (_labels, value) => void gauge(value) },
    back,
    firstProbeMs: 1,
  });
  return { kept, gauge, back };
}

const never = () => Promise.reject(new Error('still ill'));

describe('an engine that fails', () => {
  it('is out after so many failures in a row, and not before', () => {
    const { kept, gauge } = health(never);

    kept.failed('ENGINE_FAULT');
    kept.failed('ENGINE_UNREACHABLE');
    expect(kept.isOut()).toBe(false);
    kept.failed('UNEXPECTED');

    expect(kept.isOut()).toBe(true);
    expect(gauge).toHaveBeenLastCalledWith(1);
    kept.stop();
  });

  it('stays while machines are made in between', () => {
    const { kept } = health(never);

    for (let round = 0; round < 5; round++) {
      kept.failed('ENGINE_FAULT');
      kept.failed('ENGINE_FAULT');
      kept.succeeded();
    }

    expect(kept.isOut()).toBe(false);
  });

  it('is not blamed for users, full slots, hand-overs and the store', () => {
    const { kept } = health(never, 1);

    for (const code of ['IMAGE_NOT_AVAILABLE', 'NOT_ALLOWED', 'ENGINE_FULL', 'HANDED_OVER', 'STORE_FULL'])
      kept.failed(code);

    expect(kept.isOut()).toBe(false);
  });

  it('is never taken out with a limit of 0', () => {
    const { kept } = health(never, 0);

    for (let count = 0; count < 50; count++) kept.failed('ENGINE_FAULT');

    expect(kept.isOut()).toBe(false);
  });

  it('is probed until it is well, comes back by itself and begins anew', async () => {
    let probes = 0;
    const { kept, gauge, back } = health(() => (++probes < 3 ? never() : Promise.resolve()), 1);

    kept.failed('ENGINE_FAULT');
    await vi.waitFor(() => expect(back).toHaveBeenCalledOnce());

    expect(probes).toBe(3);
    expect(kept.isOut()).toBe(false);
    expect(gauge).toHaveBeenLastCalledWith(0);
  });
});
