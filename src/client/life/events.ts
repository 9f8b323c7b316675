import type { JobStatus } from '../../contracts/ci-job.js';
import type { LifeEvent } from '../../contracts/job-life.js';
import { PREPARING_SIGNAL, RELEASE_SIGNAL } from '../../contracts/names.js';
import { isoOf, type HistoryEvent, type PayloadReader } from './read-history.js';

/** What happened to the job as a whole. */
export async function readEvents(
  reader: PayloadReader,
  events: readonly HistoryEvent[],
  status: JobStatus,
): Promise<LifeEvent[]> {
  const timers = await nameTimers(reader, events);
  const told: LifeEvent[] = events.flatMap((event) => {
    const said = describe(event, timers);
    return said === undefined ? [] : [{ at: isoOf(event.eventTime) ?? '', ...said }];
  });
  if (status.finishedAt !== null && status.steps.length > 0) {
    told.push({ at: status.finishedAt, kind: 'decided', text: `final status: ${status.state}` });
  }
  return told.sort((a, b) => a.at.localeCompare(b.at));
}

async function nameTimers(reader: PayloadReader, events: readonly HistoryEvent[]): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (const event of events) {
    const id = event.timerStartedEventAttributes?.timerId;
    const summary = await reader.value(event.userMetadata?.summary);
    if (id != null && typeof summary === 'string') names.set(id, summary);
  }
  return names;
}

function describe(event: HistoryEvent, timers: ReadonlyMap<string, string>): Omit<LifeEvent, 'at'> | undefined {
  const started = event.workflowExecutionStartedEventAttributes;
  if (started != null) return { kind: 'queued', text: `queued by ${started.identity ?? 'somebody'}` };
  const cancel = event.workflowExecutionCancelRequestedEventAttributes;
  if (cancel != null) {
    const reason = cancel.cause == null || cancel.cause === '' ? '' : `: ${cancel.cause}`;
    return { kind: 'cancelRequested', text: `cancel asked for by ${cancel.identity ?? 'somebody'}${reason}` };
  }
  const timer = event.timerFiredEventAttributes?.timerId;
  if (timer != null) return { kind: 'timer', text: `over: ${timers.get(timer) ?? 'a timer'}` };
  const signal = event.workflowExecutionSignaledEventAttributes?.signalName;
  if (signal === PREPARING_SIGNAL)
    return { kind: 'preparing', text: 'an engine has taken the job and prepares a machine' };
  if (signal === RELEASE_SIGNAL) return { kind: 'released', text: 'the hold of the machine was ended' };
  return describeClose(event);
}

function describeClose(event: HistoryEvent): Omit<LifeEvent, 'at'> | undefined {
  const failed = event.workflowExecutionFailedEventAttributes;
  if (failed != null) {
    const refused = failed.failure?.applicationFailureInfo?.type === 'INVALID_JOB';
    return { kind: refused ? 'refused' : 'closed', text: failed.failure?.message ?? 'the workflow failed' };
  }
  if (event.workflowExecutionCompletedEventAttributes != null) return { kind: 'closed', text: 'everything is done' };
  if (event.workflowExecutionCanceledEventAttributes != null)
    return { kind: 'closed', text: 'everything is done; the job was canceled' };
  if (event.workflowExecutionTerminatedEventAttributes != null)
    return { kind: 'closed', text: 'the workflow was terminated from outside: its machine goes with the next sweep' };
  if (event.workflowExecutionTimedOutEventAttributes != null)
    return { kind: 'closed', text: "the workflow's own time was over" };
  return undefined;
}
