import { CI_JOB_WORKFLOW, isFinalJobState, JOB_STATES, type JobState, type MetricsState } from '../contracts/names.js';

export interface JobFilter {
  state?: JobState;
  metrics?: MetricsState;
  flag?: string;
  project?: string;
  /** Queued at or after. */
  since?: Date;
  limit?: number;
}

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

const OPEN = 'CloseTime IS NULL';
const CLOSED = 'CloseTime IS NOT NULL';
/** How workflows close whose jobs never came to say that they ended so. */
const CLOSED_AS = { canceled: "'Terminated', 'Canceled'", failed: "'Failed', 'TimedOut'" };
const UNDECIDED = `(HoldfastJobState IN (${inQuotes(JOB_STATES.filter((state) => !isFinalJobState(state)))}) OR HoldfastJobState IS NULL)`;
const DECIDED = `HoldfastJobState IN (${inQuotes(JOB_STATES.filter(isFinalJobState))})`;

/** The state that is shown, which is not always what the workflow came to say (`stateOf`). */
function stateClause(wanted: JobState | undefined): string[] {
  if (wanted === undefined) return [];
  const told = equals('HoldfastJobState', wanted);
  if (wanted === 'success') return [told];
  // Who started it without us has said nothing yet.
  if (wanted === 'pending') return [`(${told} OR HoldfastJobState IS NULL)`, OPEN];
  if (wanted !== 'canceled' && wanted !== 'failed') return [told, OPEN];
  return [`(${told} OR (ExecutionStatus IN (${CLOSED_AS[wanted]}) AND ${UNDECIDED}))`];
}

/** Metrics of a closed workflow that had none yet: of a job that was over they count as failed, of another there are none (`metricsOf`). */
const NEVER_CAME = `HoldfastMetrics = 'pending' AND ${CLOSED}`;

/** Of a replayed job Temporal still says what it was: a closed workflow cannot be told (`replayed.ts`). */
function metricsClause(wanted: MetricsState | undefined): string[] {
  if (wanted === undefined) return [];
  const told = equals('HoldfastMetrics', wanted);
  const failed = `HoldfastMetrics = 'failed' OR (${NEVER_CAME} AND ${DECIDED})`;
  switch (wanted) {
    case 'pending':
      return [told, OPEN];
    case 'failed':
      return [`(${failed})`];
    case 'none':
      return [`(${told} OR (${NEVER_CAME} AND ${UNDECIDED}))`];
    case 'uploaded':
    case 'stored':
      return [`(${told} OR ${failed})`];
  }
}

function clause(attribute: string, value: string | undefined): string[] {
  return value === undefined ? [] : [equals(attribute, value)];
}

function equals(attribute: string, value: string): string {
  return `${attribute} = ${quoted(value)}`;
}

/** A value in the language of Temporal's visibility. */
export function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function inQuotes(values: readonly string[]): string {
  return values.map(quoted).join(', ');
}
