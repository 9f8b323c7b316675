import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { FailureDetails } from '../contracts/activities.js';
import type { FlightEntry } from '../contracts/job-life.js';
import { workerName } from '../contracts/worker-identity.js';
import { mergeFlight, parseFlight } from '../store/flight-entries.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import { startStopwatch, type Stopwatch } from './stopwatch.js';

/** The store may be what is failing. */
const PATIENCE_MS = 2_000;

export interface AttemptRef {
  workflowId: string;
  activityId: string;
  attempt: number;
}

/**
 * The part of the flight recorder that Temporal has no place for: its history keeps only the last failure of an activity. An
 * activity that succeeds at once costs nothing here.
 */
export interface FlightLog {
  /** How Temporal knows this worker. */
  readonly identity: string;
  /** And people: process and host. */
  readonly worker: string;
  /** Something went wrong, and the attempt goes on. */
  trouble(ref: AttemptRef, code: string, message: string): void;
  interceptor: ActivityInterceptorsFactory;
}

export function createFlightLog(store: Store, identity: string, watch: () => Stopwatch = startStopwatch): FlightLog {
  const worker = workerName(identity);
  const queues = new Map<string, Promise<void>>();

  /** One after another for an activity; a log that cannot be written is not worth a failure. */
  async function add(ref: AttemptRef, entry: FlightEntry): Promise<void> {
    const key = jobKeys.flight(ref.workflowId, ref.activityId);
    const write = (queues.get(key) ?? Promise.resolve())
      .then(async () => {
        const kept = parseFlight(await store.read(key));
        await store.write(key, JSON.stringify(mergeFlight(kept, entry)));
      })
      .catch(() => undefined);
    queues.set(key, write);
    await within(write, PATIENCE_MS);
    if (queues.get(key) === write) queues.delete(key);
  }

  return {
    identity,
    worker,
    trouble(ref, code, message) {
      const atMs = watch().startedAtMs;
      const entry = { first: ref.attempt, last: ref.attempt, startedAtMs: atMs, endedAtMs: atMs, worker };
      void add(ref, { ...entry, failure: { code, message }, troubles: 1 });
    },
    interceptor: ({ info }) => ({
      inbound: {
        async execute(input, next) {
          const { activityId, attempt, workflowExecution } = info;
          if (workflowExecution === undefined) return await next(input);
          const ref = { workflowId: workflowExecution.workflowId, activityId, attempt };
          const time = watch();
          const begun = { first: attempt, last: attempt, startedAtMs: time.startedAtMs, worker };
          // So that an attempt without an end is known to have begun, and where.
          if (attempt > 1) await add(ref, begun);
          try {
            return await next(input);
          } catch (error) {
            if (!(error instanceof CancelledFailure)) {
              await add(ref, { ...begun, endedAtMs: time.nowMs(), failure: failureOf(error) });
            }
            throw error;
          }
        },
      },
    }),
  };
}

function failureOf(error: unknown): { code: string; message: string } {
  if (!(error instanceof ApplicationFailure)) return { code: 'UNEXPECTED', message: String(error) };
  const details = error.details?.[0] as FailureDetails | undefined;
  return { code: error.type ?? 'UNEXPECTED', message: details?.message ?? error.message };
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
