import { expect, it } from 'vitest';
import type { Clock } from '../../gitlab/clock.js';
import type { Spool } from '../../gitlab/spool.js';
import { silentLogger } from '../../telemetry/logger.js';
import { lookAgain, watchSpool } from './watch-spool.js';

/** A spool in memory, which other processes share. */
function setup() {
  const entries = new Map<string, Buffer>();
  const state = { nowMs: 0, away: false, found: [] as string[] };
  const shared: Spool = {
    put(raw) {
      const key = `key-${String(entries.size)}`;
      entries.set(key, raw);
      return Promise.resolve(key);
    },
    read: (key) => Promise.resolve(entries.get(key)),
    list: () => (state.away ? Promise.reject(new Error('away')) : Promise.resolve([...entries.keys()])),
    remove: (key) => Promise.resolve(void entries.delete(key)),
    leave: () => undefined,
  };
  let wake: (() => void) | undefined;
  const clock: Clock = {
    now: () => state.nowMs,
    sleep: (_, signal) =>
      new Promise((resolve, reject) => {
        wake = resolve;
        signal?.addEventListener('abort', () => reject(new Error('stopped')));
      }),
    random: () => 0,
  };
  const own = lookAgain(shared, clock);
  const intake = {
    async recover() {
      for (const key of await own.list()) {
        state.found.push(key);
        await own.read(key);
        await own.remove(key);
      }
    },
  };
  const watch = watchSpool({ entry: 'main', intake, clock, logger: silentLogger });
  async function after(ms: number): Promise<void> {
    state.nowMs += ms;
    wake?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { state, shared, own, watch, after };
}

it('finds at once what was left before the start, and what another worker leaves later, when it has lain there for a while', async () => {
  const { state, shared, watch, after } = setup();
  await shared.put(Buffer.from('left before'));
  await watch.start();
  expect(state.found).toEqual(['key-0']);

  await shared.put(Buffer.from('left by another'));
  await after(10_000);
  await after(10_000);
  expect(state.found).toHaveLength(1);

  await after(20_000);
  expect(state.found).toHaveLength(2);
});

it('leaves alone what this process itself is passing on, however long that takes', async () => {
  const { state, own, watch, after } = setup();
  await watch.start();
  await own.put(Buffer.from('on its way'));
  await after(10_000);
  await after(3_600_000);

  expect(state.found).toEqual([]);
});

it('tries again what this process could not pass on', async () => {
  const { state, own, watch, after } = setup();
  await watch.start();
  const key = await own.put(Buffer.from('on its way'));
  await after(10_000);
  own.leave(key);
  await after(30_000);

  expect(state.found).toEqual([key]);
});

it('looks again when the store was away at the start, and no more after the stop', async () => {
  const { state, shared, watch, after } = setup();
  await shared.put(Buffer.from('left before'));
  state.away = true;
  await watch.start();
  state.away = false;
  await after(10_000);
  expect(state.found).toEqual(['key-0']);

  watch.stop();
  await shared.put(Buffer.from('left later'));
  for (let look = 0; look < 5; look++) await after(60_000);
  expect(state.found).toHaveLength(1);
});
