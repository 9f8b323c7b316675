import { expect, it } from 'vitest';
import { startPulse } from './pulse.js';

const BOOT_MS = 1_700_000_000_000;

it('knows for a moment that the process was paused, and forgets it', () => {
  let ms = 0;
  const pulse = startPulse(
    () => ms,
    () => BOOT_MS + ms,
  );
  const answers = [1_000, 4_000, 30_000, 1_000, 2_000].map((passed) => {
    ms += passed;
    return pulse.pausedJustNow(BOOT_MS + ms);
  });
  pulse.stop();

  expect(answers).toEqual([false, false, true, true, false]);
});

it('knows a task that was given out during a pause however late it arrives, and no other one', () => {
  let ms = 0;
  const pulse = startPulse(
    () => ms,
    () => BOOT_MS + ms,
  );
  pulse.pausedJustNow(BOOT_MS);
  ms = 30_000;
  pulse.pausedJustNow(BOOT_MS);
  ms = 35_000;
  const during = pulse.pausedJustNow(BOOT_MS + 20_000);
  const after = pulse.pausedJustNow(BOOT_MS + 31_000);
  for (; ms < 51_000; ms += 4_000) pulse.pausedJustNow(BOOT_MS + ms);
  const longAfter = pulse.pausedJustNow(BOOT_MS + 20_000);
  pulse.stop();

  expect([during, after, longAfter]).toEqual([true, false, false]);
});
