import { temporal } from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import { lostAttempts } from './lost-attempts.js';

const { PendingActivityState } = temporal.api.enums.v1;
const SCHEDULED = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED;
const STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED;
const CANCEL_REQUESTED = PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED;
const DEAD = '1@a#5f.7';
const hasEnded = (identity: string) => identity === DEAD;

describe('attempts that were lost with their worker', () => {
  it('are those that a worker had in hand whose process is over', () => {
    const pending = [
      { activityId: '5', state: STARTED, lastWorkerIdentity: DEAD },
      { activityId: '6', state: STARTED, lastWorkerIdentity: '2@a#5f.8' },
      { activityId: '7', state: STARTED },
    ];

    expect(lostAttempts(pending, hasEnded)).toEqual([{ activityId: '5', worker: DEAD }]);
  });

  it('are none that wait for a worker again, or that are to be cancelled', () => {
    const pending = [
      { activityId: '5', state: SCHEDULED, lastWorkerIdentity: DEAD },
      { activityId: '6', state: CANCEL_REQUESTED, lastWorkerIdentity: DEAD },
    ];

    expect(lostAttempts(pending, hasEnded)).toEqual([]);
  });
});
