import fc from 'fast-check';

/** What a soak does, all of it a function of the seed: which jobs in which order, which faults after which pauses. */
export interface Plan {
  seed: number;
  minutes: number;
  /** So many jobs at once. */
  abreast: number;
  /** More than can be run in the time. */
  jobs: PlannedJob[];
  /** Likewise. */
  troubles: Trouble[];
}

export type JobKind = 'plain' | 'after' | 'services' | 'artifacts' | 'failing' | 'canceled';

export interface PlannedJob {
  kind: JobKind;
  from: 'client' | 'gitlab';
  lines: number;
  pauseSeconds: number;
  afterSeconds: number;
  /** Of a job that is canceled: how long after it was begun. */
  cancelAfterMs: number;
}

/** One fault, or two of different parts at once. */
export interface Trouble {
  /** Since the last one was over. */
  pauseMs: number;
  faults: PlannedFault[];
  /** The second one begins so long after the first. */
  apartMs: number;
}

export type LinkFault = { how: 'cut' | 'stall' | 'forget'; ms: number };

export type PlannedFault =
  | { part: 'worker'; kind: 'killed'; awayMs: number }
  | { part: 'worker'; kind: 'terminated'; successor: 'before' | 'after'; awayMs: number }
  | {
      part: 'worker';
      kind: 'paused';
      ms: number;
      successorAfterMs: number;
      /** What becomes of the paused one. */
      then: 'continued' | 'killed';
      /** How its successor ends. */
      successorEnds: 'SIGTERM' | 'SIGKILL';
    }
  | { part: 'temporal'; kind: 'killed'; awayMs: number }
  | { part: 'temporal'; kind: 'paused'; ms: number }
  | ({ part: 'engine'; kind: 'link' } & LinkFault)
  | ({ part: 'coordinator'; kind: 'link' } & LinkFault)
  | {
      part: 'coordinator';
      kind: 'answers';
      endpoint: 'request' | 'trace' | 'update' | 'upload';
      action: AnswerFault;
      times: number;
    };

export type AnswerFault =
  | { kind: 'status'; status: number }
  | { kind: 'reset' }
  | { kind: 'loseAnswer' }
  | { kind: 'halfAnswer' }
  | { kind: 'slow'; ms: number }
  | { kind: 'hang'; ms: number };

/** A job takes two seconds at least, a fault with its pause likewise. */
const PER_MINUTE = 30;

/** @param minutes a longer soak of the same seed begins like a shorter one */
export function planOf(seed: number, minutes: number): Plan {
  const count = Math.ceil(PER_MINUTE * minutes) + 4;
  const draw = <T>(what: fc.Arbitrary<T>, stream: number, numRuns: number) =>
    fc.sample(fc.noBias(what), { seed: seed * 4 + stream, numRuns });
  const [abreast = 2] = draw(fc.integer({ min: 2, max: 4 }), 0, 1);
  return { seed, minutes, abreast, jobs: draw(job, 1, count * abreast), troubles: draw(trouble, 2, count) };
}

const job: fc.Arbitrary<PlannedJob> = fc.record({
  kind: fc.constantFrom<JobKind>('plain', 'plain', 'after', 'services', 'artifacts', 'failing', 'canceled'),
  from: fc.constantFrom('client', 'gitlab'),
  lines: fc.integer({ min: 10, max: 150 }),
  pauseSeconds: fc.constantFrom(0, 0.02, 0.05, 0.1, 0.2),
  afterSeconds: fc.integer({ min: 0, max: 4 }),
  cancelAfterMs: ms(0, 15_000),
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

const faultOfAnyPart = fc.oneof(workerFault, workerFault, temporalFault, engineFault, coordinatorFault);

const trouble: fc.Arbitrary<Trouble> = fc.record({
  pauseMs: ms(300, 5_000),
  // Nearly one in five is two at once.
  faults: fc
    .tuple(fc.integer({ min: 1, max: 5 }), faultOfAnyPart, faultOfAnyPart)
    .map(([chance, one, other]) => (chance === 1 && one.part !== other.part ? [one, other] : [one])),
  apartMs: ms(0, 4_000),
});

function ms(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min, max });
}

function just<T extends string>(value: T): fc.Arbitrary<T> {
  return fc.constant(value);
}

export function describeFault(fault: PlannedFault): string {
  const { part, kind, ...rest } = fault;
  const details = Object.entries({ ...rest, ...('action' in rest ? rest.action : {}) })
    .filter(([, value]) => typeof value !== 'object')
    .map(([name, value]) => `${name} ${String(value)}`);
  return `${part} ${kind}${details.length === 0 ? '' : ` (${details.join(', ')})`}`;
}

export function describeJob(planned: PlannedJob): string {
  const { kind, from, lines, pauseSeconds, cancelAfterMs } = planned;
  const cancel = kind === 'canceled' ? `, canceled after ${String(cancelAfterMs)} ms` : '';
  return `${kind} job of ${from === 'gitlab' ? 'GitLab' : 'the client'}, ${String(lines)} lines, ${String(pauseSeconds)} s apart${cancel}`;
}
