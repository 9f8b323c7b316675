import { describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../telemetry/logger.js';
import { createEngineHealth } from './engine-health.js';
import type { ToldOutage } from './outage-record.js';

const MADE = { code: 'ENGINE_FAULT', message: 'making the machine:\n no space left on device' };

function health(given: { probe?: () => Promise<void>; limit?: number } = {}) {
  const clock = { ms: 0 };
  const gauge = vi.fn();
  const back = vi.fn();
  const told: (ToldOutage | 'cleared')[] = [];
  const kept = createEngineHealth({
    engine: { name: 'e', probe: given.probe ?? never },
    limit: given.limit ?? 3,
    logger: silentLogger,
    gauge: { set: (_labels, value) => void gauge(value) },
    record: {
      tell: (outage) => void told.push(outage),
      clear: () => void told.push('cleared'),
      close: () => Promise.resolve(),
    },
    firstProbeMs: 1,
    now: () => clock.ms,
  });
  kept.onBack(back);
  return { kept, gauge, back, told, clock };
}

const never = () => Promise.reject(new Error('still ill'));

describe('an engine that makes no machines', () => {
  it('is out after so many failures in a row, and not before; and it is said why', async () => {
    const { kept, gauge, told } = health();

    kept.machineNotMade(MADE, 0);
    kept.machineNotMade({ ...MADE, code: 'ENGINE_UNREACHABLE' }, 0);
    expect(kept.isOut()).toBe(false);
    expect(told).toEqual([]);
    kept.machineNotMade({ ...MADE, code: 'UNEXPECTED' }, 0);

    expect(kept.isOut()).toBe(true);
    expect(gauge).toHaveBeenLastCalledWith(1);
    expect(told[0]).toMatchObject({
      kind: 'provisioning',
      failures: 3,
      last: { code: 'UNEXPECTED', message: 'making the machine: no space left on device' },
    });
    await kept.stop();
  });

  it('stays while machines are made in between', () => {
    const { kept } = health();

    for (let round = 0; round < 5; round++) {
      kept.machineNotMade(MADE, 0);
      kept.machineNotMade(MADE, 0);
      kept.machineMade();
    }

    expect(kept.isOut()).toBe(false);
  });

  it.each([
    'IMAGE_NOT_AVAILABLE',
    'NOT_ALLOWED',
    'ENGINE_FULL',
    'HANDED_OVER',
    'STORE_FULL',
    // The host of a registry may be mistyped.
    'REGISTRY_UNREACHABLE',
    'IMAGE_PULL_FAILED',
  ])('is not blamed for users, full slots, hand-overs, the store and registries: %s', (code) => {
    const { kept } = health({ limit: 1 });

    kept.machineNotMade({ code, message: '' }, 0);

    expect(kept.isOut()).toBe(false);
  });

  it('is never taken out with a limit of 0', () => {
    const { kept, clock } = health({ limit: 0 });

    for (; clock.ms < 50; clock.ms++) {
      kept.machineNotMade(MADE, 0);
      kept.machineLost(String(clock.ms), 'gone', 0);
    }

    expect(kept.isOut()).toBe(false);
  });

  it('is probed until it is well, comes back by itself and begins anew', async () => {
    let probes = 0;
    const { kept, gauge, back, told } = health({
      probe: () => (++probes < 3 ? never() : Promise.resolve()),
      limit: 2,
    });

    kept.machineNotMade(MADE, 0);
    kept.machineNotMade(MADE, 0);
    await vi.waitFor(() => expect(back).toHaveBeenCalledOnce());

    expect(probes).toBe(3);
    expect(kept.isOut()).toBe(false);
    expect(gauge).toHaveBeenLastCalledWith(0);
    // Every probe that fails is the latest news.
    const messages = told.map((outage) => (outage === 'cleared' ? outage : outage.last.message));
    expect(messages).toEqual(['making the machine: no space left on device', 'still ill', 'still ill', 'cleared']);
    kept.machineNotMade(MADE, 0);
    expect(kept.isOut()).toBe(false);
  });

  it('is not taken out again by what began before it came back', async () => {
    const { kept, back, clock } = health({ probe: () => Promise.resolve(), limit: 1 });
    clock.ms = 1_000;
    kept.machineNotMade(MADE, 0);
    await vi.waitFor(() => expect(back).toHaveBeenCalledOnce());
    clock.ms = 1_500;

    kept.machineNotMade(MADE, 900);
    expect(kept.isOut()).toBe(false);
    kept.machineNotMade(MADE, 100);
    expect(kept.isOut()).toBe(true);
    await kept.stop();
  });
});

describe('an engine that loses machines', () => {
  /** One machine after another, each made after the last was lost. */
  function lose(set: ReturnType<typeof health>, machine: string): void {
    set.clock.ms += 1_000;
    set.kept.machineLost(machine, 'its container is gone', 500);
  }

  it('is out after so many in a row, whatever machines it makes meanwhile', async () => {
    const set = health();
    for (const machine of ['a', 'b']) {
      lose(set, machine);
      set.kept.machineMade();
    }
    expect(set.kept.isOut()).toBe(false);

    lose(set, 'c');

    expect(set.kept.isOut()).toBe(true);
    expect(set.told[0]).toMatchObject({
      kind: 'machines',
      failures: 3,
      last: { code: 'MACHINE_GONE', message: 'machine c was lost: its container is gone' },
    });
    await set.kept.stop();
  });

  it('stays while scripts end in between', () => {
    const set = health({ limit: 2 });

    for (const machine of ['a', 'b', 'c']) {
      lose(set, machine);
      set.kept.scriptEnded();
    }

    expect(set.kept.isOut()).toBe(false);
  });

  it('has failed once when it loses all machines at once, and all that their jobs had asked for', () => {
    const set = health({ limit: 2 });
    set.clock.ms = 60_000;

    for (let count = 0; count < 10; count++) {
      set.kept.machineLost(`m${String(count)}`, 'was the engine restarted?', 30_000);
      set.clock.ms += 100;
    }
    // after_script of each: asked for only after the loss, of the same machines.
    for (let count = 0; count < 10; count++) set.kept.machineLost(`m${String(count)}`, 'gone', 0);

    expect(set.kept.isOut()).toBe(false);
  });

  it('is on probation when it is back: a sandbox that can be made proves nothing here', async () => {
    const set = health({ probe: () => Promise.resolve() });
    for (const machine of ['a', 'b', 'c']) lose(set, machine);
    await vi.waitFor(() => expect(set.back).toHaveBeenCalledOnce());
    expect(set.kept.isOut()).toBe(false);

    lose(set, 'd');
    expect(set.kept.isOut()).toBe(true);
    await vi.waitFor(() => expect(set.back).toHaveBeenCalledTimes(2));

    set.kept.scriptEnded();
    lose(set, 'e');
    lose(set, 'f');
    expect(set.kept.isOut()).toBe(false);
  });
});

describe('an engine that does not answer', () => {
  it('is told of after a while, once, and no longer when it answers', () => {
    const { kept, told, clock } = health();

    for (; clock.ms < 5_000; clock.ms += 1_000) kept.silent(new Error('connect ENOENT'));
    expect(told).toEqual([]);
    for (; clock.ms < 9_000; clock.ms += 1_000) kept.silent(new Error('connect ENOENT'));

    expect(told).toMatchObject([{ kind: 'silent', last: { message: 'connect ENOENT' }, nextProbeAt: null }]);
    expect(kept.isOut()).toBe(false);

    kept.answered();
    kept.answered();
    expect(told.slice(1)).toEqual(['cleared']);
  });
});
