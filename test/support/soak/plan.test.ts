import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeFault, describeJob, planOf } from './plan.js';

const seeds = fc.integer({ min: 0, max: 1_000_000 });

describe('the plan of a soak', () => {
  it('follows from its seed, and is another one for another seed', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(planOf(seed, 1)).toEqual(planOf(seed, 1));
        expect(planOf(seed, 1).jobs).not.toEqual(planOf(seed + 1, 1).jobs);
      }),
      { numRuns: 20 },
    );
  });

  it('of a longer time begins like that of a shorter one', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const [short, long] = [planOf(seed, 1), planOf(seed, 3)];
        expect(long.jobs.slice(0, short.jobs.length)).toEqual(short.jobs);
        expect(long.troubles.slice(0, short.troubles.length)).toEqual(short.troubles);
      }),
      { numRuns: 20 },
    );
  });

  it('never breaks one part in two ways at once', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        for (const { faults } of planOf(seed, 2).troubles)
          expect(new Set(faults.map(({ part }) => part)).size).toBe(faults.length);
      }),
      { numRuns: 50 },
    );
  });

  it('of a seed that was found with the first draws is that of then', () => {
    const { jobs, troubles, workers } = planOf(3, 3, 'first');

    expect(workers).toBe(1);
    expect(describeJob(present(jobs[0]))).toBe('plain job of GitLab, 108 lines, 0.02 s apart');
    expect(describeFault(present(troubles[0]?.faults[0]))).toBe('temporal paused (ms 18314)');
    expect(describeFault(present(troubles[40]?.faults[0]))).toBe('worker killed (awayMs 3024)');
  });

  it('has every kind of job and of fault within a few seeds', () => {
    const plans = Array.from({ length: 10 }, (_, seed) => planOf(seed, 5));
    const kinds = new Set(plans.flatMap(({ jobs }) => jobs.map(({ kind, from }) => `${kind} ${from}`)));
    const faults = plans.flatMap(({ troubles }) => troubles.flatMap((trouble) => trouble.faults));

    expect(kinds.size).toBe(22);
    expect(new Set(plans.map(({ workers }) => workers)).size).toBe(2);
    expect([...new Set(faults.map(({ part, kind }) => `${part} ${kind}`))].sort()).toEqual([
      'coordinator answers',
      'coordinator link',
      'engine link',
      'prometheus killed',
      'store full',
      'store readOnly',
      'temporal killed',
      'temporal paused',
      'worker drained',
      'worker killed',
      'worker paused',
      'worker terminated',
    ]);
  });
});

it('says each fault and each job in one line with all that is drawn', () => {
  expect(
    describeFault({
      part: 'coordinator',
      kind: 'answers',
      endpoint: 'trace',
      action: { kind: 'status', status: 503 },
      times: 2,
    }),
  ).toBe('coordinator answers (endpoint trace, times 2, kind status, status 503)');
  expect(
    describeJob({ kind: 'plain', from: 'gitlab', lines: 7, pauseSeconds: 0.1, afterSeconds: 0, strikeAfterMs: 5 }),
  ).toBe('plain job of GitLab, 7 lines, 0.1 s apart');
});

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The plan ends early');
  return value;
}
