import { describe, expect, it } from 'vitest';
import { brokenPromises } from './report.js';
import type { Figures } from './scenario.js';

const WELL: Figures = {
  scenario: 'a fault',
  jobsLost: 0,
  state: 'success',
  failureReason: null,
  runs: 1,
  afterRuns: 1,
  linesLost: 0,
  linesDoubled: 0,
  outOfOrder: 0,
  secondsUntilMoved: 2.5,
  leftovers: 0,
  checksumWrong: 0,
  coordinator: '',
  violations: 0,
  replayDiffers: 0,
  traceDiffers: 0,
  tookSeconds: 20,
  broken: [],
};

describe('the promises of a fault scenario', () => {
  it('are kept by a job that is as it would be without the fault', () => {
    expect(brokenPromises(WELL, {})).toEqual([]);
    expect(brokenPromises({ ...WELL, secondsUntilMoved: null }, {})).toEqual([]);
  });

  it('are broken by each figure that is not as promised', () => {
    expect(brokenPromises({ ...WELL, runs: 2, linesLost: 3 }, {})).toEqual([
      'runs is 2, promised is 1',
      'linesLost is 3, promised is 0',
    ]);
  });

  it('are broken by a trace that stands still for long after a worker is there', () => {
    expect(brokenPromises({ ...WELL, secondsUntilMoved: 31 }, {})).toEqual([
      'the trace stood still for 31.0 s after the repair, 30 s are the most (three times what is promised)',
    ]);
  });

  it('leave a scenario its own time, with its reason', () => {
    const standstill = { seconds: 90, why: 'polls of a paused worker' };

    expect(brokenPromises({ ...WELL, secondsUntilMoved: 70 }, { standstill })).toEqual([]);
    expect(brokenPromises({ ...WELL, secondsUntilMoved: 91 }, { standstill })).toEqual([
      'the trace stood still for 91.0 s after the repair, 90 s are the most (polls of a paused worker)',
    ]);
  });
});
