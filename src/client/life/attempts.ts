import { faultOf } from '../../contracts/faults.js';
import type { AttemptLife, FailureLife, FlightEntry, TroubleLife } from '../../contracts/job-life.js';

/** What Temporal knows of an activity's attempts: how many, how the last one stands, and why the one before it failed. */
export interface AttemptFacts {
  count: number;
  last: Pick<AttemptLife, 'startedAt' | 'finishedAt' | 'worker' | 'outcome' | 'failure'>;
  /** Why the attempt before the last one failed. */
  previous: FailureLife | null;
}

/** Temporal's facts and what workers have kept of failed attempts, together: every attempt, those for the same reason as one. */
export function attemptsOf(facts: AttemptFacts, flight: readonly FlightEntry[]): AttemptLife[] {
  const kept = flight.filter((entry) => entry.troubles === undefined);
  const attempts: AttemptLife[] = [];
  for (let attempt = 1; attempt < facts.count;) {
    const entry = kept.find(({ first, last }) => first <= attempt && attempt <= last);
    const last = Math.min(entry?.last ?? attempt, facts.count - 1);
    attempts.push(failedAttempt(attempt, last, entry, last === facts.count - 1 ? facts.previous : null));
    attempt = last + 1;
  }
  if (facts.count > 0) attempts.push({ first: facts.count, last: facts.count, ...facts.last });
  return joinedAttempts(attempts);
}

/** An attempt that has left no word was a worker's that is gone. */
function failedAttempt(
  first: number,
  last: number,
  entry: FlightEntry | undefined,
  known: FailureLife | null,
): AttemptLife {
  const told = entry?.failure === undefined ? null : { ...entry.failure, fault: faultOf(entry.failure.code).fault };
  return {
    first,
    last,
    startedAt: entry === undefined ? null : new Date(entry.startedAtMs).toISOString(),
    finishedAt: entry?.endedAtMs === undefined ? null : new Date(entry.endedAtMs).toISOString(),
    worker: entry?.worker ?? null,
    outcome: 'failed',
    failure: told ?? known ?? workerLost(),
  };
}

function workerLost(): FailureLife {
  const { meaning, fault } = faultOf('WORKER_LOST');
  return { code: 'WORKER_LOST', message: meaning, fault };
}

function joinedAttempts(attempts: AttemptLife[]): AttemptLife[] {
  const joined: AttemptLife[] = [];
  for (const attempt of attempts) {
    const before = joined.at(-1);
    const same =
      before !== undefined &&
      before.outcome === 'failed' &&
      attempt.outcome === 'failed' &&
      before.failure?.code === attempt.failure?.code &&
      before.worker === attempt.worker;
    if (same) {
      joined[joined.length - 1] = { ...attempt, first: before.first, startedAt: before.startedAt };
    } else joined.push(attempt);
  }
  return joined;
}

export function troublesOf(flight: readonly FlightEntry[]): TroubleLife[] {
  return flight.flatMap((entry) =>
    entry.troubles === undefined || entry.failure === undefined
      ? []
      : [
          {
            ...entry.failure,
            fault: faultOf(entry.failure.code).fault,
            firstAt: new Date(entry.startedAtMs).toISOString(),
            lastAt: new Date(entry.endedAtMs ?? entry.startedAtMs).toISOString(),
            times: entry.troubles,
          },
        ],
  );
}
