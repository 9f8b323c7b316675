import { createHash } from 'node:crypto';

/** A text as one segment of a key. Of half a surrogate pair, which has no UTF-8, it makes the character for what is none. */
function segment(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** What is kept for a job, and under which key. `job` is the workflow id. */

function jobKey(job: string, ...rest: string[]): string {
  return ['jobs', segment(job), ...rest].join('/');
}

export const jobKeys = {
  all: (job: string) => jobKey(job),
  /** The trace's head (everything, while it is below the limit). Grows by `writeAt`. */
  trace: (job: string) => jobKey(job, 'trace'),
  /** Written once, when the trace is whole: `{bytes, crc32}` as JSON. */
  traceComplete: (job: string) => jobKey(job, 'trace.complete.json'),
  /** The limiter's state after part `part` of the trace, kept only when the limit was passed. */
  traceTail: (job: string, part: number) => jobKey(job, 'trace-tail', String(part)),
  /** Of the machine of an attempt of the job; below it, by the attempt of the activity that has packed them. */
  artifacts: (job: string, attempt: number) => jobKey(job, 'artifacts', String(attempt)),
  artifact: (job: string, attempt: number, packedBy: number, name: string) =>
    jobKey(job, 'artifacts', String(attempt), String(packedBy), name),
  /** The archive of a job that this one depends on, until this one is over. */
  dependency: (job: string, id: number) => jobKey(job, 'dependencies', `${String(id)}.zip`),
  /** The compiled plan of an attempt, sealed. */
  plan: (job: string, attempt: number) => jobKey(job, 'plan', String(attempt)),
  /** What the job came to, written by `finishJob`. */
  report: (job: string) => jobKey(job, 'report.json'),
  /** What `show` prints, as it was when the final status was decided. */
  status: (job: string) => jobKey(job, 'status.json'),
  /** Where a part whose beginning was uncertain begins. */
  traceBase: (job: string, part: number) => jobKey(job, 'trace-base', String(part)),
  /** The artifact as GitLab knows it, or would, had it been sent in time. */
  metricsReferee: (job: string) => jobKey(job, 'metrics_referee.json'),
  /** The same, as it is sent: of the machine of an attempt, and written once. */
  metricsRefereeGzip: (job: string, attempt: number) => jobKey(job, 'metrics_referee', `${String(attempt)}.json.gz`),
  /** What a collection needs to know; kept so that it can be replayed. */
  metricsRequest: (job: string) => jobKey(job, 'metrics.request.json'),
  /** Attempts of an activity that went wrong, for `holdfast show`. */
  flight: (job: string, activityId: string) => jobKey(job, 'flight', `${activityId}.json`),
  flights: (job: string) => jobKey(job, 'flight'),
  /** What a replay came to: a closed workflow can no longer be told. */
  metricsReplayed: (job: string) => jobKey(job, 'metrics.replayed.json'),
  /** The full document. */
  metrics: (job: string) => jobKey(job, 'metrics.json'),
};

/**
 * Jobs whose metrics are not complete yet: one empty object each, for as long as that is so. A bulk replay lists these few, where it
 * would have to read the document of every job.
 */
export const incompleteKeys = {
  all: () => 'metrics-incomplete',
  job: (job: string) => ['metrics-incomplete', segment(job)].join('/'),
  /** The workflow id in a key of these. */
  jobOf: (key: string) => decodeURIComponent(key.slice('metrics-incomplete/'.length)),
};

/** Local cache: per project path and cache key. */
export function cacheKey(project: string, key: string): string {
  return ['cache', segment(project), `${segment(key)}.tar.gz`].join('/');
}

/** Engines that take no jobs: one small object a worker that says so. */
export const outageKeys = {
  all: () => 'engines',
  engine: (engine: string) => ['engines', segment(engine), 'outages'].join('/'),
  worker: (engine: string, worker: string) =>
    ['engines', segment(engine), 'outages', `${segment(worker)}.json`].join('/'),
};

/** Right-sizing: one small object a run. Hashed, because names are free text of any length; the object says them in full. */
export const usageKeys = {
  all: () => 'usage',
  project: (project: string) => ['usage', hash(project)].join('/'),
  name: (project: string, name: string) => ['usage', hash(project), hash(name)].join('/'),
  /** Ordered by time. */
  run: ({ project, name, job, endedAtMs }: { project: string; name: string; job: string; endedAtMs: number }) =>
    ['usage', hash(project), hash(name), `${String(endedAtMs).padStart(15, '0')}-${hash(job)}.json`].join('/'),
};

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
