import fc from 'fast-check';
import { firstJob, firstTrouble } from './first-draws.js';
import { oneInThree, widerJob, widerTrouble } from './wider-draws.js';

/** What a soak does, all of it a function of the seed: which jobs in which order, which faults after which pauses. */
export interface Plan {
  seed: number;
  minutes: number;
  /** So many jobs at once. */
  abreast: number;
  /** That serve the engine when nothing is broken: faults of workers hit them in turn. */
  workers: number;
  /** More than can be run in the time. */
  jobs: PlannedJob[];
  /** Likewise. */
  troubles: Trouble[];
}

export type FirstJobKind = 'plain' | 'after' | 'services' | 'artifacts' | 'failing' | 'canceled';
export type WiderJobKind = 'big' | 'cached' | 'dependent' | 'held' | 'retried' | 'timeout';
export type JobKind = FirstJobKind | WiderJobKind;

export interface PlannedJob {
  kind: JobKind;
  from: 'client' | 'gitlab';
  lines: number;
  pauseSeconds: number;
  afterSeconds: number;
  /** Of a job that is canceled, or whose machine is taken away (`retried`): how long after it was begun. */
  strikeAfterMs: number;
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
  | {
      part: 'worker';
      kind: 'drained';
      /** Whether another one is there before. */
      successor: 'before' | 'after';
      /** A drain that has not ended by then is told to hand over. */
      patienceMs: number;
    }
  | { part: 'temporal'; kind: 'killed'; awayMs: number }
  | { part: 'temporal'; kind: 'paused'; ms: number }
  | ({ part: 'engine'; kind: 'link' } & LinkFault)
  | ({ part: 'coordinator'; kind: 'link' } & LinkFault)
  | {
      part: 'coordinator';
      kind: 'answers';
      endpoint: 'request' | 'trace' | 'update' | 'upload' | 'download';
      action: AnswerFault;
      times: number;
    }
  | { part: 'prometheus'; kind: 'killed'; awayMs: number }
  | { part: 'store'; kind: 'full' | 'readOnly'; ms: number };

export type AnswerFault =
  | { kind: 'status'; status: number }
  | { kind: 'reset' }
  | { kind: 'loseAnswer' }
  | { kind: 'halfAnswer' }
  | { kind: 'slow'; ms: number }
  | { kind: 'hang'; ms: number };

/** A job takes two seconds at least, a fault with its pause likewise. */
const PER_MINUTE = 30;

/**
 * @param minutes a longer soak of the same seed begins like a shorter one
 * @param draws `first`: only what was drawn when the first seeds were found, so that these are the same for ever
 */
export function planOf(seed: number, minutes: number, draws: 'all' | 'first' = 'all'): Plan {
  const count = Math.ceil(PER_MINUTE * minutes) + 4;
  const draw = <T>(what: fc.Arbitrary<T>, stream: number, numRuns: number) =>
    fc.sample(fc.noBias(what), { seed: seed * 4 + stream, numRuns });
  // Below zero, so that no other seed has the same.
  const drawWider = <T>(what: fc.Arbitrary<T>, stream: number, numRuns: number) =>
    fc.sample(fc.noBias(what), { seed: -1 - (seed * 4 + stream), numRuns });
  const [abreast = 2] = draw(fc.integer({ min: 2, max: 4 }), 0, 1);
  const jobs = draw(firstJob, 1, count * abreast);
  const troubles = draw(firstTrouble, 2, count);
  if (draws === 'first') return { seed, minutes, abreast, workers: 1, jobs, troubles };
  const [workers = 1] = drawWider(fc.integer({ min: 1, max: 2 }), 0, 1);
  const widerJobs = drawWider(oneInThree(widerJob), 1, jobs.length);
  const widerTroubles = drawWider(oneInThree(widerTrouble), 2, count);
  return {
    seed,
    minutes,
    abreast,
    workers,
    jobs: jobs.map((job, index) => widerJobs[index] ?? job),
    troubles: troubles.map((trouble, index) => widerTroubles[index] ?? trouble),
  };
}

export function describeFault(fault: PlannedFault): string {
  const { part, kind, ...rest } = fault;
  const details = Object.entries({ ...rest, ...('action' in rest ? rest.action : {}) })
    .filter(([, value]) => typeof value !== 'object')
    .map(([name, value]) => `${name} ${String(value)}`);
  return `${part} ${kind}${details.length === 0 ? '' : ` (${details.join(', ')})`}`;
}

export function describeJob(planned: PlannedJob): string {
  const { kind, from, lines, pauseSeconds, strikeAfterMs } = planned;
  const strikes: Partial<Record<JobKind, string>> = { canceled: 'canceled', retried: 'its machine taken away' };
  const strike = strikes[kind];
  const struck = strike === undefined ? '' : `, ${strike} after ${String(strikeAfterMs)} ms`;
  return `${kind} job of ${from === 'gitlab' ? 'GitLab' : 'the client'}, ${String(lines)} lines, ${String(pauseSeconds)} s apart${struck}`;
}
