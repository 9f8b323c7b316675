import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { answered } from './inspect.js';

/** As a call whose request is over already, and which hears of no end. */
const unsettled = () => new Promise<never>(() => undefined);

async function outcomeOf(asking: Promise<unknown>): Promise<unknown> {
  return await Promise.race([asking.catch((error: unknown) => error), delay(2_000, 'hangs')]);
}

it('does not wait longer than its limit, whatever becomes of the call', async () => {
  expect(await outcomeOf(answered(unsettled, undefined, 20))).toMatchObject({
    message: 'the engine did not answer in 0.02 s',
  });
});

it('does not wait when nobody wants the answer any more, whatever becomes of the call', async () => {
  const over = new AbortController();
  const asking = answered(unsettled, over.signal);
  const reason = new Error('no longer wanted');
  over.abort(reason);

  expect(await outcomeOf(asking)).toBe(reason);
  expect(await outcomeOf(answered(unsettled, over.signal))).toBe(reason);
});

it('tells the call of its limit', async () => {
  const asking = answered(
    (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      }),
    undefined,
    20,
  );

  await expect(asking).rejects.toThrow('the engine did not answer in 0.02 s');
});

it('gives the answer, and the error of a call that fails', async () => {
  expect(await answered(() => Promise.resolve(1))).toBe(1);
  await expect(answered(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
});
