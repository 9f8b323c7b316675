import type { WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import {
  isFinalJobState,
  shortJobId,
  type JobState,
  type MetricsState,
  type SEARCH_ATTRIBUTES,
} from '../contracts/names.js';
import { isSealed } from './looking.js';

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

/** Key of the memo that workflows are started with; encrypted like every payload, so a list can name its jobs. */
export const NAME_MEMO = 'name';

/** Of a workflow, as Temporal's list and its `describe` know it. */
export type ExecutionFacts = Pick<
  WorkflowExecutionInfo,
  'workflowId' | 'status' | 'startTime' | 'typedSearchAttributes'
> & {
  closeTime?: Date | undefined;
  memo?: Record<string, unknown> | undefined;
};

export function toSummary(info: ExecutionFacts): JobSummary {
  const told = toldBy(info);
  const state = stateOf(info, told);
  const name = info.memo?.[NAME_MEMO];
  return {
    id: shortJobId(info.workflowId),
    workflowId: info.workflowId,
    name: typeof name === 'string' ? name : null,
    ...(isSealed(name) ? { unknownKey: name.sealedWith } : {}),
    state,
    failureReason: reasonOf(told, state),
    project: keyword(info, 'HoldfastProject'),
    pool: keyword(info, 'HoldfastPool'),
    machine: told.machine,
    metrics: metricsOf(info, told),
    flags: [...(info.typedSearchAttributes.get(FLAGS) ?? [])],
    queuedAt: info.startTime.toISOString(),
    finishedAt: info.closeTime?.toISOString() ?? null,
  };
}

/** What a job's workflow came to say of it, in its search attributes. */
export interface Told {
  state: JobState | null;
  failureReason: string | null;
  machine: string | null;
  metrics: MetricsState | null;
}

export function toldBy(info: Attributed): Told {
  return {
    state: keyword(info, 'HoldfastJobState') as JobState | null,
    failureReason: keyword(info, 'HoldfastFailureReason'),
    machine: keyword(info, 'HoldfastMachine'),
    metrics: keyword(info, 'HoldfastMetrics') as MetricsState | null,
  };
}

/** A workflow that was terminated, or refused its input, never came to say how its job ended. */
function stateOf({ status }: ExecutionFacts, { state }: Told): JobState {
  if (isFinalJobState(state)) return state;
  if (status.name === 'TERMINATED' || status.name === 'CANCELLED') return 'canceled';
  if (status.name === 'FAILED' || status.name === 'TIMED_OUT') return 'failed';
  return state ?? 'pending';
}

function reasonOf(told: Told, state: JobState): string | null {
  if (told.failureReason !== null || told.state === state) return told.failureReason;
  if (state === 'failed') return 'runner_system_failure';
  return state === 'canceled' ? 'job_canceled' : null;
}

/** They are collected by the job's own workflow: when that has closed, they never come. */
function metricsOf({ closeTime }: ExecutionFacts, { metrics, state }: Told): MetricsState | null {
  return metrics === 'pending' && closeTime != null ? withoutTheirWorkflow(state) : metrics;
}

/**
 * What becomes of metrics that a workflow had not collected when it was ended: once its job was over, a replay may still get them; before,
 * nothing was kept of what to ask for.
 */
export function withoutTheirWorkflow(told: JobState | null): MetricsState {
  return isFinalJobState(told) ? 'failed' : 'none';
}

type Attributed = Pick<ExecutionFacts, 'typedSearchAttributes'>;

const FLAGS = defineSearchAttributeKey('HoldfastFlags', 'KEYWORD_LIST');

function keyword({ typedSearchAttributes }: Attributed, name: keyof typeof SEARCH_ATTRIBUTES): string | null {
  return typedSearchAttributes.get(defineSearchAttributeKey(name, 'KEYWORD')) ?? null;
}
