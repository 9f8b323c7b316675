import fc from 'fast-check';
import type { FirstJobKind, PlannedFault, PlannedJob, Trouble } from './plan.js';

// What the first seeds were found with. A change here would make other courses of them: what is new goes to `wider-draws.ts`.

export const firstJob: fc.Arbitrary<PlannedJob> = fc.record({
  kind: fc.constantFrom<FirstJobKind>('plain', 'plain', 'after', 'services', 'artifacts', 'failing', 'canceled'),
  from: fc.constantFrom('client', 'gitlab'),
  lines: fc.integer({ min: 10, max: 150 }),
  pauseSeconds: fc.constantFrom(0, 0.02, 0.05, 0.1, 0.2),
  afterSeconds: fc.integer({ min: 0, max: 4 }),
  strikeAfterMs: ms(0, 15_000),
});

const linkFault = { how: fc.constantFrom('cut', 'stall', 'forget'), ms: ms(500, 15_000) } as const;

const workerFault: fc.Arbitrary<PlannedFault> = fc.oneof(
  fc.record({ part: just('worker'), kind: just('killed'), awayMs: ms(0, 8_000) }),
  fc.record({
    part: just('worker'),
    kind: just('terminated'),
    successor: fc.constantFrom('before', 'after'),
    awayMs: ms(0, 3_000),
  }),
  fc.record({
    part: just('worker'),
    kind: just('paused'),
    ms: ms(5_000, 35_000),
    successorAfterMs: ms(0, 5_000),
    then: fc.constantFrom('continued', 'continued', 'killed'),
    successorEnds: fc.constantFrom('SIGTERM', 'SIGKILL'),
  }),
);

const temporalFault: fc.Arbitrary<PlannedFault> = fc.oneof(
  fc.record({ part: just('temporal'), kind: just('killed'), awayMs: ms(0, 10_000) }),
  fc.record({ part: just('temporal'), kind: just('paused'), ms: ms(1_000, 20_000) }),
);

const engineFault: fc.Arbitrary<PlannedFault> = fc.record({ part: just('engine'), kind: just('link'), ...linkFault });

const answers: fc.Arbitrary<PlannedFault> = fc
  .record({
    endpoint: fc.constantFrom('request', 'trace', 'trace', 'update', 'upload'),
    action: fc.oneof(
      fc.record({ kind: just('status'), status: fc.constantFrom(500, 502, 503) }),
      fc.record({ kind: just('reset') }),
      fc.record({ kind: just('loseAnswer') }),
      fc.record({ kind: just('halfAnswer') }),
      fc.record({ kind: just('slow'), ms: ms(500, 5_000) }),
      fc.record({ kind: just('hang'), ms: ms(500, 8_000) }),
    ),
    times: fc.integer({ min: 1, max: 6 }),
  })
  // A job whose hand-over nobody could read is GitLab's loss (docs/operations.md): nothing to learn from.
  .filter(({ endpoint, action }) => endpoint !== 'request' || !['loseAnswer', 'halfAnswer'].includes(action.kind))
  .map((fault) => ({ part: 'coordinator', kind: 'answers', ...fault }));

const coordinatorFault: fc.Arbitrary<PlannedFault> = fc.oneof(
  answers,
  fc.record({ part: just('coordinator'), kind: just('link'), ...linkFault }),
);

export const faultOfAnyPart = fc.oneof(workerFault, workerFault, temporalFault, engineFault, coordinatorFault);

// Nearly one in five is two at once.
export const firstTrouble = troubleOf(faultOfAnyPart, 5);

/** @param oneIn how seldom there are two at once, of different parts */
export function troubleOf(fault: fc.Arbitrary<PlannedFault>, oneIn: number): fc.Arbitrary<Trouble> {
  return fc.record({
    pauseMs: ms(300, 5_000),
    faults: fc
      .tuple(fc.integer({ min: 1, max: oneIn }), fault, faultOfAnyPart)
      .map(([chance, one, other]) => (chance === 1 && one.part !== other.part ? [one, other] : [one])),
    apartMs: ms(0, 4_000),
  });
}

export function ms(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min, max });
}

export function just<T extends string>(value: T): fc.Arbitrary<T> {
  return fc.constant(value);
}
