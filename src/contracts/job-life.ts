import type { Fault } from './faults.js';

/** The life of a job as `show --json` prints it under `life`; from Temporal's history and the store. Times are ISO 8601. */
export interface JobLife {
  /** What happened to the job as a whole, in order. */
  events: LifeEvent[];
  /** Every activity, in the order in which the workflow asked for it. */
  activities: ActivityLife[];
}

export interface LifeEvent {
  at: string;
  kind: 'queued' | 'preparing' | 'cancelRequested' | 'timer' | 'released' | 'decided' | 'refused' | 'closed';
  text: string;
}

export interface ActivityLife {
  id: string;
  /** `runStep` */
  activity: string;
  /** What it was for, in a few words (`step_script`). */
  summary: string;
  queue: string;
  state: 'waiting' | 'running' | 'completed' | 'failed' | 'timedOut' | 'canceled';
  scheduledAt: string;
  /** Begin of the last attempt. */
  startedAt: string | null;
  finishedAt: string | null;
  attempts: AttemptLife[];
  /** What went wrong outside while an attempt went on: GitLab that did not answer. */
  troubles: TroubleLife[];
}

export interface TroubleLife extends FailureLife {
  firstAt: string;
  lastAt: string;
  times: number;
}

/** One attempt, or several in a row that ended for the same reason. */
export interface AttemptLife {
  first: number;
  last: number;
  startedAt: string | null;
  finishedAt: string | null;
  /** Process and host. */
  worker: string | null;
  outcome: 'completed' | 'failed' | 'canceled' | 'running' | 'waiting';
  failure: FailureLife | null;
}

export interface FailureLife {
  /** A code of `FAILURE_CODES`. */
  code: string;
  message: string;
  fault: Fault;
}

/** What a worker keeps in the store of attempts that went wrong; the history has only the last failure of an activity. */
export interface FlightEntry {
  first: number;
  last: number;
  startedAtMs: number;
  /** Absent: it was begun, and nothing more is known. */
  endedAtMs?: number;
  worker: string;
  failure?: { code: string; message: string };
  /** Present: not the end of an attempt, but so many troubles of one kind during it. */
  troubles?: number;
}
