import { afterEach, expect, it } from 'vitest';
import { watchStopSignals } from './stop-signal.js';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
const before = SIGNALS.map((signal) => process.listeners(signal));

afterEach(() => {
  SIGNALS.forEach((signal, index) => {
    for (const listener of process.listeners(signal)) {
      if (before[index]?.includes(listener) !== true) process.off(signal, listener);
    }
  });
});

it.each(SIGNALS)('%s that comes once more does not kill a worker in the middle of its stop', async (signal) => {
  const stop = watchStopSignals();
  const watching = process.listenerCount(signal);

  process.emit(signal);
  expect(await stop.first).toBe(signal === 'SIGQUIT' ? 'drain' : 'handover');

  expect(process.listenerCount(signal)).toBe(watching);
});
