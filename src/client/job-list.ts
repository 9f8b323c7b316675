import { type Client, type WorkflowExecutionInfo } from '@temporalio/client';
import {
  CI_JOB_WORKFLOW,
  isFinalJobState,
  JOB_STATES,
  shortJobId,
  type JobState,
  type MetricsState,
} from '../contracts/names.js';
import { isSealed, looking } from './looking.js';

export interface JobFilter {
  state?: JobState;
  metrics?: MetricsState;
  flag?: string;
  project?: string;
  /** Queued at or after. */
  since?: Date;
  limit?: number;
}

export interface JobSummary {
  id: string;
  workflowId: string;
  /** Null: whoever started the workflow did not say it beside the job itself. */
  name: string | null;
  /** The key that its name was sealed with, and its content too, where we do not have it. */
  unknownKey?: string;
  state: JobState;
  failureReason: string | null;
  project: string | null;
  pool: string | null;
  machine: string | null;
  metrics: MetricsState | null;
  flags: string[];
  queuedAt: string;
  /** When the workflow closed; null while it is open. */
  finishedAt: string | null;
}

/** Of a list, where none is given. */
export const DEFAULT_LIMIT = 50;

/** Key of the memo that workflows are started with; encrypted like every payload, so a list can name its jobs. */
export const NAME_MEMO = 'name';

/** A filter in the language of Temporal's visibility. */
export function toListQuery(filter: JobFilter): string {
  return [
    `WorkflowType = '${CI_JOB_WORKFLOW}'`,
    ...stateClause(filter.state),
    ...metricsClause(filter.metrics),
    ...clause('HoldfastFlags', filter.flag),
    ...clause('HoldfastProject', filter.project),
    ...(filter.since === undefined ? [] : [`StartTime >= '${filter.since.toISOString()}'`]),
  ].join(' AND ');
}

/** Of a replayed job Temporal still says `failed`: a closed workflow cannot be told (`replayed.ts`). */
function metricsClause(wanted: MetricsState | undefined): string[] {
  return wanted === 'uploaded' || wanted === 'stored'
    ? [`HoldfastMetrics IN (${quoted(wanted)}, 'failed')`]
    : [...clause('HoldfastMetrics', wanted), ...(wanted === 'pending' ? [OPEN] : [])];
}

const OPEN = "ExecutionStatus = 'Running'";
/** How workflows close whose jobs never came to say that they ended so. */
const CLOSED = { canceled: "'Terminated', 'Canceled'", failed: "'Failed', 'TimedOut'" };
const UNDECIDED = JOB_STATES.filter((state) => !isFinalJobState(state)).map(quoted);

/** The state that is shown, which is not always what the workflow came to say (`stateOf`). */
function stateClause(wanted: JobState | undefined): string[] {
  if (wanted === undefined) return [];
  const [told = ''] = clause('HoldfastJobState', wanted);
  if (wanted === 'success') return [told];
  // Who started it without us has said nothing yet.
  if (wanted === 'pending') return [`(${told} OR HoldfastJobState IS NULL)`, OPEN];
  if (wanted !== 'canceled' && wanted !== 'failed') return [told, OPEN];
  const undecided = `(HoldfastJobState IN (${UNDECIDED.join(', ')}) OR HoldfastJobState IS NULL)`;
  return [`(${told} OR (ExecutionStatus IN (${CLOSED[wanted]}) AND ${undecided}))`];
}

/** Jobs in one answer of Temporal. */
const PAGE_SIZE = 200;

/** Says what Temporal does not know of jobs; it may leave some out. */
export type Settle = (jobs: JobSummary[]) => Promise<JobSummary[]>;

/**
 * Newest first; from Temporal's visibility, so it lags behind by a moment.
 * @param settle default: takes all as they are
 */
export async function listJobs(client: Client, filter: JobFilter = {}, settle?: Settle): Promise<JobSummary[]> {
  const limit = filter.limit ?? DEFAULT_LIMIT;
  const pageSize = settle === undefined ? Math.min(limit, PAGE_SIZE) : PAGE_SIZE;
  const found = looking(client).workflow.list({ query: toListQuery(filter), pageSize });
  return newestFirst(
    await takeJobs(found, { limit, atOnce: pageSize, settle: settle ?? ((jobs) => Promise.resolve(jobs)) }),
  );
}

/** As many as are wanted of those that are left: in the place of one that is left out an older one comes. */
export async function takeJobs(
  found: AsyncIterable<ExecutionFacts>,
  { limit, atOnce, settle }: { limit: number; atOnce: number; settle: Settle },
): Promise<JobSummary[]> {
  const jobs: JobSummary[] = [];
  let some: JobSummary[] = [];
  for await (const info of found) {
    some.push(toSummary(info));
    if (some.length < atOnce) continue;
    jobs.push(...(await settle(some)));
    some = [];
    if (jobs.length >= limit) break;
  }
  jobs.push(...(await settle(some)));
  return jobs.slice(0, limit);
}

/** Each once. */
export function newestFirst(jobs: readonly JobSummary[]): JobSummary[] {
  const byId = new Map(jobs.toReversed().map((job) => [job.workflowId, job]));
  return [...byId.values()].sort((a, b) => b.queuedAt.localeCompare(a.queuedAt));
}

type ExecutionFacts = Pick<WorkflowExecutionInfo, 'workflowId' | 'status' | 'startTime' | 'searchAttributes'> & {
  closeTime?: Date | undefined;
  memo?: Record<string, unknown> | undefined;
};

export function toSummary(info: ExecutionFacts): JobSummary {
  // The untyped view; the typed one needs every key declared anew.
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- visibility has no other way to give a plain list
  const attributes = info.searchAttributes as Record<string, unknown[] | undefined>;
  const text = (name: string) => {
    const value = attributes[name]?.[0];
    return typeof value === 'string' ? value : null;
  };
  const name = info.memo?.[NAME_MEMO];
  return {
    id: shortJobId(info.workflowId),
    workflowId: info.workflowId,
    name: typeof name === 'string' ? name : null,
    ...(isSealed(name) ? { unknownKey: name.sealedWith } : {}),
    state: stateOf(info, text('HoldfastJobState') as JobState | null),
    failureReason: text('HoldfastFailureReason'),
    project: text('HoldfastProject'),
    pool: text('HoldfastPool'),
    machine: text('HoldfastMachine'),
    metrics: metricsOf(info, text('HoldfastMetrics') as MetricsState | null),
    flags: (attributes['HoldfastFlags'] ?? []).map(String),
    queuedAt: info.startTime.toISOString(),
    finishedAt: info.closeTime?.toISOString() ?? null,
  };
}

/** A workflow that was terminated, or refused its input, never came to say how its job ended. */
function stateOf(info: ExecutionFacts, told: JobState | null): JobState {
  if (told !== null && isFinalJobState(told)) return told;
  if (info.status.name === 'TERMINATED' || info.status.name === 'CANCELLED') return 'canceled';
  if (info.status.name === 'FAILED' || info.status.name === 'TIMED_OUT') return 'failed';
  return told ?? 'pending';
}

/** They are collected by the job's own workflow: when that is closed, they never come. */
function metricsOf(info: ExecutionFacts, told: MetricsState | null): MetricsState | null {
  return told === 'pending' && info.status.name !== 'RUNNING' ? 'none' : told;
}

function clause(attribute: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`${attribute} = ${quoted(value)}`];
}

/** A value in the language of Temporal's visibility. */
export function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
