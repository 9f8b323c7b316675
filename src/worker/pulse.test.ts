import { expect, it } from 'vitest';
import { startPulse } from './pulse.js';

it('knows for a moment that the process was paused, and forgets it', () => {
  let ms = 0;
  const pulse = startPulse(() => ms);
  const answers = [1_000, 4_000, 30_000, 1_000, 2_000].map((passed) => {
    ms += passed;
    return pulse.pausedJustNow();
  });
  pulse.stop();

  expect(answers).toEqual([false, false, true, true, false]);
});
