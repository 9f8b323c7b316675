import type { temporal } from '@temporalio/proto';
import type { ActivityLife, AttemptLife, FailureLife, FlightEntry } from '../../contracts/job-life.js';
import { workerName } from '../../contracts/worker-identity.js';
import { attemptsOf, troublesOf, type AttemptFacts } from './attempts.js';
import { isoOf, readFailure, type HistoryEvent, type PayloadReader } from './read-history.js';

export type PendingActivity = temporal.api.workflow.v1.IPendingActivityInfo;

/** The events of one activity. Temporal writes `started` only together with the end, and only for the last attempt. */
interface ActivityEvents {
  scheduled: HistoryEvent;
  started?: HistoryEvent;
  ended?: HistoryEvent;
}

// Temporal's number for an activity that a worker has in hand; all others wait.
const STATES_IN_HAND = [2, 3, 5];

/** @param flight what workers have kept of the activity's failed attempts, by its id */
export async function readActivities(
  reader: PayloadReader,
  events: readonly HistoryEvent[],
  pending: readonly PendingActivity[],
  flight: (activityId: string) => readonly FlightEntry[],
): Promise<ActivityLife[]> {
  const grouped = groupByActivity(events);
  return await Promise.all(
    [...grouped.values()].map((own) => {
      const id = own.scheduled.activityTaskScheduledEventAttributes?.activityId ?? '';
      const open = pending.find((activity) => activity.activityId === id);
      return readActivity(reader, own, open, flight(id));
    }),
  );
}

function groupByActivity(events: readonly HistoryEvent[]): Map<string, ActivityEvents> {
  const found = new Map<string, ActivityEvents>();
  for (const event of events) {
    if (event.activityTaskScheduledEventAttributes != null) found.set(String(event.eventId), { scheduled: event });
    const own = found.get(String(scheduledIdOf(event)));
    if (own === undefined) continue;
    if (event.activityTaskStartedEventAttributes != null) own.started = event;
    else own.ended = event;
  }
  return found;
}

function scheduledIdOf(event: HistoryEvent) {
  const attributes =
    event.activityTaskStartedEventAttributes ??
    event.activityTaskCompletedEventAttributes ??
    event.activityTaskFailedEventAttributes ??
    event.activityTaskTimedOutEventAttributes ??
    event.activityTaskCanceledEventAttributes;
  return attributes?.scheduledEventId ?? undefined;
}

async function readActivity(
  reader: PayloadReader,
  events: ActivityEvents,
  pending: PendingActivity | undefined,
  flight: readonly FlightEntry[],
): Promise<ActivityLife> {
  const attributes = events.scheduled.activityTaskScheduledEventAttributes;
  const summary = await reader.value(events.scheduled.userMetadata?.summary);
  const facts = pending === undefined ? await factsOfEvents(reader, events) : await factsOfPending(reader, pending);
  return {
    id: attributes?.activityId ?? '',
    activity: attributes?.activityType?.name ?? '',
    summary: typeof summary === 'string' ? summary : '',
    queue: attributes?.taskQueue?.name ?? '',
    state: stateOf(events, pending),
    scheduledAt: isoOf(events.scheduled.eventTime) ?? '',
    startedAt: facts.last.startedAt,
    finishedAt: isoOf(events.ended?.eventTime),
    attempts: attemptsOf(facts, flight),
    troubles: troublesOf(flight),
  };
}

function stateOf({ ended }: ActivityEvents, pending: PendingActivity | undefined): ActivityLife['state'] {
  if (pending !== undefined) return isInHand(pending) ? 'running' : 'waiting';
  if (ended === undefined) return 'canceled'; // the workflow was closed over it
  if (ended.activityTaskCompletedEventAttributes != null) return 'completed';
  if (ended.activityTaskTimedOutEventAttributes != null) return 'timedOut';
  return ended.activityTaskFailedEventAttributes == null ? 'canceled' : 'failed';
}

async function factsOfEvents(reader: PayloadReader, { started, ended }: ActivityEvents): Promise<AttemptFacts> {
  const attributes = started?.activityTaskStartedEventAttributes;
  return {
    count: attributes?.attempt ?? 0,
    last: {
      startedAt: isoOf(started?.eventTime),
      finishedAt: isoOf(ended?.eventTime),
      worker: attributes?.identity == null ? null : workerName(attributes.identity),
      outcome: outcomeOfEnd(ended),
      failure: await failureOrNull(reader, failureOfEnd(ended)),
    },
    previous: await failureOrNull(reader, attributes?.lastFailure),
  };
}

function failureOfEnd(ended: HistoryEvent | undefined) {
  return ended?.activityTaskFailedEventAttributes?.failure ?? ended?.activityTaskTimedOutEventAttributes?.failure;
}

function outcomeOfEnd(ended: HistoryEvent | undefined): AttemptLife['outcome'] {
  if (ended?.activityTaskCompletedEventAttributes != null) return 'completed';
  return failureOfEnd(ended) == null ? 'canceled' : 'failed';
}

async function factsOfPending(reader: PayloadReader, pending: PendingActivity): Promise<AttemptFacts> {
  const inHand = isInHand(pending);
  return {
    count: pending.attempt ?? 1,
    last: {
      startedAt: inHand ? isoOf(pending.lastStartedTime) : isoOf(pending.scheduledTime),
      finishedAt: null,
      worker: inHand && pending.lastWorkerIdentity != null ? workerName(pending.lastWorkerIdentity) : null,
      outcome: inHand ? 'running' : 'waiting',
      failure: null,
    },
    previous: await failureOrNull(reader, pending.lastFailure),
  };
}

function isInHand(pending: PendingActivity): boolean {
  return STATES_IN_HAND.includes(Number(pending.state));
}

async function failureOrNull(
  reader: PayloadReader,
  failure: Parameters<typeof readFailure>[1] | null | undefined,
): Promise<FailureLife | null> {
  return failure == null ? null : await readFailure(reader, failure);
}
