import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, it } from 'vitest';
import { MachineError } from '../machines/engine.js';
import { createReach } from './reach.js';

const MINUTE_MS = 60_000;
const PATIENCE_MS = 3 * MINUTE_MS;
const AWAY = new MachineError('ENGINE_UNREACHABLE', 'refused', { retryable: true });

/** Attempts at one activity, each of which fails, or is ended, after some time. */
function attempts(patienceMs: number | undefined) {
  let nowMs = 1_000_000;
  let kept: unknown;
  return async ({ afterMs, lastsMs = 0, error = AWAY }: { afterMs: number; lastsMs?: number; error?: Error }) => {
    nowMs += afterMs;
    const environment = new MockActivityEnvironment({ heartbeatDetails: kept });
    environment.on('heartbeat', (details: unknown) => (kept = details));
    return await environment.run(() => {
      const reach = createReach(patienceMs, { now: () => nowMs, steadyNow: () => nowMs });
      nowMs += lastsMs;
      if (lastsMs > 0) kept = reach.details();
      return Promise.resolve(reach.failureOf(error));
    });
  };
}

it('an engine that is out of reach for longer than the patience has lost its machine, over attempts of whatever worker', async () => {
  const attempt = attempts(PATIENCE_MS);

  expect(await attempt({ afterMs: 0 })).toBe(AWAY);
  expect(await attempt({ afterMs: 2 * MINUTE_MS })).toBe(AWAY);
  expect(await attempt({ afterMs: 2 * MINUTE_MS })).toMatchObject({
    type: 'ENGINE_UNREACHABLE',
    nonRetryable: true,
    details: [{ reason: 'runner_system_failure', message: 'its engine could not be reached for 240 s' }],
  });
});

it('an engine that was there in between is waited for anew, one whose silence made the attempt long is not', async () => {
  const silent = attempts(PATIENCE_MS);
  await silent({ afterMs: 0 });
  await silent({ afterMs: 2 * MINUTE_MS, lastsMs: MINUTE_MS / 2 });

  expect(await silent({ afterMs: MINUTE_MS })).toMatchObject({ nonRetryable: true });

  const back = attempts(PATIENCE_MS);
  await back({ afterMs: 0 });
  await back({ afterMs: MINUTE_MS, lastsMs: 2 * MINUTE_MS });

  expect(await back({ afterMs: MINUTE_MS })).toBe(AWAY);
});

it('without a patience, and of any other failure, it is what it was', async () => {
  const patient = attempts(undefined);
  await patient({ afterMs: 0 });
  expect(await patient({ afterMs: 100 * MINUTE_MS })).toBe(AWAY);

  const other = new MachineError('ENGINE_FAULT', 'no space', { retryable: true });
  const attempt = attempts(PATIENCE_MS);
  await attempt({ afterMs: 0 });
  expect(await attempt({ afterMs: 100 * MINUTE_MS, error: other })).toBe(other);
});
