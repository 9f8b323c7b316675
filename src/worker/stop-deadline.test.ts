import { expect, it } from 'vitest';
import { silentLogger } from '../telemetry/logger.js';
import { createStopDeadline } from './stop-deadline.js';

const never = () => new Promise<void>(() => undefined);
const done = () => Promise.resolve();

function setup() {
  const told: unknown[] = [];
  const logger = { ...silentLogger, warn: (facts: object) => told.push(facts) };
  return { told, deadline: createStopDeadline(logger, 20) };
}

it('ends a stop that does not end by itself, and says what it waited for', async () => {
  const { told, deadline } = setup();
  deadline.begin();

  await deadline.bound(done, () => {
    deadline.doing('Temporal');
    return never();
  });

  expect(told).toEqual([{ waitsFor: 'Temporal', afterMs: 20 }]);
});

it('does not begin before it is told to', async () => {
  const { told, deadline } = setup();
  let serve: (() => void) | undefined;
  const bound = deadline.bound(() => new Promise((resolve) => (serve = resolve)), done);
  setTimeout(() => serve?.(), 60);

  await bound;

  expect(told).toEqual([]);
});

it('lets no failure go unsaid because the closing after it hangs', async () => {
  const { deadline } = setup();
  deadline.begin();

  await expect(deadline.bound(() => Promise.reject(new Error('a worker failed')), never)).rejects.toThrow(
    'a worker failed',
  );
});
