import fc from 'fast-check';
import { just, ms, troubleOf } from './first-draws.js';
import type { PlannedFault, PlannedJob, WiderJobKind } from './plan.js';

/** Of the rest the first draws' own is kept. */
export function oneInThree<T>(what: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc
    .tuple(fc.integer({ min: 1, max: 3 }), what)
    .map(([chance, drawn]): T | undefined => (chance === 1 ? drawn : undefined));
}

/** A job file has no artifacts of other jobs, GitLab runs a job again by itself. */
const ONLY_FROM: Partial<Record<WiderJobKind, PlannedJob['from']>> = { dependent: 'gitlab', retried: 'client' };

export const widerJob: fc.Arbitrary<PlannedJob> = fc
  .record({
    kind: fc.constantFrom<WiderJobKind>('big', 'cached', 'dependent', 'held', 'retried', 'timeout'),
    from: fc.constantFrom<PlannedJob['from']>('client', 'gitlab'),
    lines: fc.integer({ min: 10, max: 150 }),
    pauseSeconds: fc.constantFrom(0, 0.02, 0.05, 0.1, 0.2),
    afterSeconds: fc.integer({ min: 0, max: 4 }),
    strikeAfterMs: ms(0, 15_000),
  })
  .map((job) => ({ ...job, from: ONLY_FROM[job.kind] ?? job.from }));

const widerFault: fc.Arbitrary<PlannedFault> = fc.oneof(
  fc.record({
    part: just('worker'),
    kind: just('drained'),
    successor: fc.constantFrom('before', 'after'),
    patienceMs: ms(1_000, 20_000),
  }),
  fc.record({ part: just('prometheus'), kind: just('killed'), awayMs: ms(500, 15_000) }),
  fc.record({ part: just('store'), kind: fc.constantFrom('full', 'readOnly'), ms: ms(500, 12_000) }),
  fc.record({
    part: just('coordinator'),
    kind: just('answers'),
    endpoint: just('download'),
    action: fc.oneof(
      fc.record({ kind: just('status'), status: fc.constantFrom(500, 502, 503) }),
      fc.record({ kind: fc.constantFrom('reset', 'loseAnswer', 'halfAnswer') }),
      fc.record({ kind: fc.constantFrom('slow', 'hang'), ms: ms(500, 8_000) }),
    ),
    times: fc.integer({ min: 1, max: 3 }),
  }),
);

export const widerTrouble = troubleOf(widerFault, 3);
