import type { Readable } from 'node:stream';

/** What GitLab may answer, call by call (gitlab-protocol section 1): every case a value, so that nobody forgets one. */

/** No usable answer this time: network, 408, 429, 5xx, or one that makes no sense. The same call may be made again. */
export interface Unavailable {
  kind: 'unavailable';
  reason: string;
  /** The server's own wish. */
  retryAfterMs?: number;
  /** It answered, so it is there: its silence is not growing. */
  answered: boolean;
  /** It took longer than the call has. */
  timedOut?: true;
  /** What the job is, where the answer says so all the same: it counts whatever the code (gitlab-protocol section 1.6). */
  jobStatus?: string;
}

/** The job is not, or no longer, ours to report on. `jobStatus`: what GitLab says it is; null when it does not say. */
export interface Refused {
  kind: 'refused';
  jobStatus: string | null;
}

/** What an answer about a running job tells besides. */
export interface Said {
  jobStatus: string | null;
  /** The server's wish for the pause between two updates. */
  intervalMs?: number;
}

export type VerifyOutcome =
  /** `serverTimeMs`: GitLab's clock, to the second. */
  | { kind: 'valid'; runnerId: number | null; expiresAt: string | null; serverTimeMs?: number }
  | { kind: 'invalid'; reason: string }
  | Unavailable;

export type ResetTokenOutcome =
  /** The token before is no longer valid from here on: this is the only copy of the new one. */
  | { kind: 'renewed'; token: string; expiresAt: string | null }
  /** 403: the token is not, or no longer, valid. */
  | { kind: 'invalid'; reason: string }
  /** Nothing is known of what became of it, unless the answer itself says that nothing has. */
  | Unavailable;

export type RequestJobOutcome =
  /** Assigned: from here on the job is ours. The body is as it came, unchecked. */
  | { kind: 'job'; body: Buffer; lastUpdate: string | null }
  | { kind: 'none'; lastUpdate: string | null }
  /** Others were faster, or the queue is behind; ask again. */
  | { kind: 'conflict'; reason: string }
  /** The token is unknown or has expired. */
  | { kind: 'forbidden'; reason: string }
  | Unavailable;

export type PatchTraceOutcome =
  | ({ kind: 'accepted' } & Said)
  /** The server's log ends elsewhere: at `size`. */
  | { kind: 'misplaced'; size: number | null; jobStatus?: string }
  | Refused
  /** 404: passing in the middle of a job, an answer at its end. */
  | { kind: 'unknown'; jobStatus?: string }
  | Unavailable;

export type UpdateJobOutcome =
  | ({ kind: 'accepted' } & Said)
  /** 202: noted, not yet done; only a 200 decides. */
  | ({ kind: 'waiting' } & Said)
  /** 412: the server's log is not what we sent. */
  | ({ kind: 'resend' } & Said)
  | Refused
  | { kind: 'unknown' }
  | Unavailable;

export type UploadArtifactOutcome =
  | { kind: 'stored' }
  | { kind: 'tooLarge' }
  /** 400, 405 and their kind: it may be passing, it may be for good. */
  | { kind: 'rejected'; status: number; reason: string }
  | Refused
  | Unavailable;

export type DownloadArtifactOutcome =
  /** To be read to its end, or destroyed; an error in its middle is a broken exchange. */
  | { kind: 'archive'; content: Readable }
  /** 401, 403: the token is not for it. */
  | { kind: 'forbidden'; status: number }
  /** 404: expired, erased, or never there. */
  | { kind: 'missing' }
  | Unavailable;

/** A status before execution comes from a database replica that lags; all others are an end (section 1.7, "Spurious 403"). */
const BEFORE_EXECUTION = new Set([
  'created',
  'waiting_for_resource',
  'waiting_for_callback',
  'preparing',
  'pending',
  'scheduled',
  'manual',
]);

export function isEnded(jobStatus: string | null): boolean {
  return jobStatus === 'canceled' || jobStatus === 'failed';
}

/** 403 of a job's endpoint: an end, unless the status says that the job has not even begun (or runs). */
export function outcomeOfForbidden(jobStatus: string | null): Refused | Unavailable {
  if (jobStatus !== null && (BEFORE_EXECUTION.has(jobStatus) || jobStatus === 'running' || jobStatus === 'canceling')) {
    const reason = `403, but the job is "${jobStatus}": a lagging replica`;
    return { kind: 'unavailable', reason, answered: true, jobStatus };
  }
  return { kind: 'refused', jobStatus };
}
