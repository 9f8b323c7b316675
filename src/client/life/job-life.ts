import type { Client } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import type { JobStatus } from '../../contracts/ci-job.js';
import { REASON_FAULTS, type Fault } from '../../contracts/faults.js';
import type { ActivityLife, FlightEntry, JobLife } from '../../contracts/job-life.js';
import { parseFlight } from '../../store/flight-entries.js';
import { jobKeys } from '../../store/keys.js';
import type { Store } from '../../store/store.js';
import { looking } from '../looking.js';
import { readActivities } from './activities.js';
import { readEvents } from './events.js';
import { createPayloadReader } from './read-history.js';

/**
 * The flight recorder: a job's life from Temporal's history and from what workers have kept in the store. Works for every job that
 * Temporal still knows, also for one that was refused or terminated, and needs no worker.
 */
export async function readJobLife(
  deps: { temporal: Client; store: Store; codec: PayloadCodec },
  status: JobStatus,
): Promise<JobLife> {
  const { temporal, store, codec } = deps;
  const handle = temporal.workflow.getHandle(status.workflowId);
  const [history, description, flights] = await Promise.all([
    handle.fetchHistory(),
    looking(temporal).workflow.getHandle(status.workflowId).describe(),
    readFlights(store, status.workflowId),
  ]);
  const reader = createPayloadReader(codec);
  const events = history.events ?? [];
  const pending = description.raw.pendingActivities ?? [];
  return {
    events: await readEvents(reader, events, status),
    activities: await readActivities(reader, events, pending, (id) => flights.get(id) ?? []),
  };
}

async function readFlights(store: Store, workflowId: string): Promise<Map<string, FlightEntry[]>> {
  try {
    const keys = await store.list(jobKeys.flights(workflowId));
    const entries = await Promise.all(
      keys.map(async (key) => [idOf(key), parseFlight(await store.read(key))] as const),
    );
    return new Map(entries);
  } catch {
    return new Map(); // the store is away: the history alone says much
  }
}

function idOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1).replace(/\.json$/, '');
}

/** Whose fault a failed job is; null: nobody's, or it has not failed. */
export function faultOfJob(status: JobStatus, activities: readonly ActivityLife[]): Fault | null {
  if (status.state !== 'failed') return null;
  if (status.failureReason === null) return 'runner';
  if (status.failureReason !== 'runner_system_failure') return REASON_FAULTS[status.failureReason];
  const failed = activities.findLast(
    ({ activity, state }) => decides(activity) && ['failed', 'timedOut'].includes(state),
  );
  // No activity failed and yet the system did: the machine was lost under a step.
  return failed?.attempts.at(-1)?.failure?.fault ?? 'provider';
}

/** What can end a job; metrics and reports cannot. */
function decides(activity: string): boolean {
  return !['collectMetrics', 'reportToCoordinator', 'streamTrace', 'releaseMachine'].includes(activity);
}
