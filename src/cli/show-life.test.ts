import { describe, expect, it } from 'vitest';
import type { ActivityLife, JobLife } from '../contracts/job-life.js';
import { describeLife } from './show-life.js';

const QUEUED = '2026-01-01T00:00:00.000Z';

function at(seconds: number): string {
  return new Date(Date.parse(QUEUED) + seconds * 1000).toISOString();
}

function activity(with_: Partial<ActivityLife>): ActivityLife {
  return {
    id: '1',
    activity: 'runStep',
    summary: 'step_script',
    queue: 'holdfast.engine.local',
    state: 'completed',
    scheduledAt: at(1),
    startedAt: at(1),
    finishedAt: at(4),
    attempts: [
      { first: 1, last: 1, startedAt: at(1), finishedAt: at(4), worker: '1@a', outcome: 'completed', failure: null },
    ],
    troubles: [],
    ...with_,
  };
}

function lines(life: JobLife): string[] {
  return describeLife({ queuedAt: QUEUED, life })
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().replaceAll(/ {2,}/g, ' | '));
}

describe('the life of a job in a terminal', () => {
  it('is one line for what went straight, in the order of time', () => {
    const events: JobLife['events'] = [
      { at: at(0), kind: 'queued', text: 'queued by me' },
      { at: at(5), kind: 'closed', text: 'everything is done' },
    ];

    expect(lines({ events, activities: [activity({})] }).slice(1)).toEqual([
      '+0.00s | * | queued by me',
      '+1.00s | runStep | step_script | 3.00s',
      '+5.00s | * | everything is done',
    ]);
  });

  it('shows every attempt where there were several, with the cause and whose fault it is', () => {
    const failure = { code: 'ENGINE_UNREACHABLE', message: 'no answer\nfrom it', fault: 'provider' } as const;
    const again = activity({
      startedAt: at(70),
      finishedAt: at(71),
      attempts: [
        { first: 1, last: 3, startedAt: at(1), finishedAt: at(63), worker: '1@a', outcome: 'failed', failure },
        {
          first: 4,
          last: 4,
          startedAt: at(70),
          finishedAt: at(71),
          worker: '2@b',
          outcome: 'completed',
          failure: null,
        },
      ],
    });

    expect(lines({ events: [], activities: [again] }).slice(1)).toEqual([
      '+1.00s | runStep | step_script | 1m10s',
      '+1.00s | attempts 1 to 3 | failed by 1@a | 1m02s | ENGINE_UNREACHABLE: no answer (fault: provider)',
      '+1m10s | attempt 4 | completed by 2@b | 1.00s',
    ]);
  });

  it('says what an activity waits for', () => {
    const waiting = activity({
      state: 'waiting',
      startedAt: null,
      finishedAt: null,
      queue: 'holdfast.pool.gpu',
      attempts: [],
    });

    expect(lines({ events: [], activities: [waiting] }).at(-1)).toBe(
      '+1.00s | runStep | step_script | waits on holdfast.pool.gpu',
    );
  });

  it('counts the troubles of a conversation', () => {
    const trouble = {
      code: 'COORDINATOR_AWAY',
      message: 'connect ECONNREFUSED',
      fault: 'coordinator',
      firstAt: at(2),
      lastAt: at(3),
      times: 7,
    } as const;

    expect(lines({ events: [], activities: [activity({ troubles: [trouble] })] }).at(-1)).toBe(
      '+2.00s | trouble | 7 times | 1.00s | COORDINATOR_AWAY: connect ECONNREFUSED (fault: coordinator)',
    );
  });
});
