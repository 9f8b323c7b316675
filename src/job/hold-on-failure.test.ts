import { expect, it } from 'vitest';
import { holdOf } from './hold-on-failure.js';

const MINUTE_MS = 60_000;

it.each([
  [undefined, 0, []],
  ['', 0, []],
  ['0', 0, []],
  ['30m', 30 * MINUTE_MS, []],
  ['1 hour', 60 * MINUTE_MS, []],
  ['24h', 1440 * MINUTE_MS, []],
  ['30 mn', 0, ['HOLDFAST_HOLD_ON_FAILURE "30 mn" is no time such as 30m or 1h; it is ignored']],
  ['half an hour', 0, [expect.stringContaining('"half an hour" is no time')]],
  ['-5m', 0, [expect.stringContaining('"-5m" is no time')]],
  ['3 days', 1440 * MINUTE_MS, ['HOLDFAST_HOLD_ON_FAILURE "3 days" counts as 24h, the longest hold there is']],
])('HOLDFAST_HOLD_ON_FAILURE %j holds for %d ms', (text, expected, words) => {
  const warnings: string[] = [];

  expect(holdOf(() => text, warnings)).toBe(expected);
  expect(warnings).toEqual(words);
});
