import type {
  ActivityLife,
  AttemptLife,
  FailureLife,
  JobLife,
  LifeEvent,
  TroubleLife,
} from '../../contracts/job-life.js';

/** What a line of the flight recorder says, for the terminal and for the job's page. */
export interface LifeRow {
  /** `attempt` and `trouble` belong to the activity above them. */
  kind: 'event' | 'activity' | 'attempt' | 'trouble';
  /** Since the job was queued (`+1.25s`); empty: it has not begun. */
  at: string;
  /** Of the activity, `attempt 2`; empty for an event. */
  name: string;
  about: string;
  took: string;
  /** How it went, where it did not go straight. */
  says: string;
  isBad: boolean;
}

/** The flight recorder in words: one row an event or activity, in the order of time, below it whatever did not go straight. */
export function lifeRows({ queuedAt, life }: { queuedAt: string; life: JobLife }): LifeRow[] {
  const begin = Date.parse(queuedAt);
  const blocks = [
    ...life.events.map((event) => ({ at: event.at, rows: [eventRow(event, begin)] })),
    ...life.activities.map((activity) => ({
      at: begunAt(activity),
      rows: activityRows(activity, begin),
    })),
  ].sort((a, b) => a.at.localeCompare(b.at));
  return blocks.flatMap(({ rows }) => rows);
}

function eventRow({ at, kind, text }: LifeEvent, begin: number): LifeRow {
  const isRefused = kind === 'refused';
  return {
    kind: 'event',
    at: since(at, begin),
    name: '',
    about: text,
    took: '',
    says: isRefused ? whose('user') : '',
    isBad: isRefused,
  };
}

function activityRows(activity: ActivityLife, begin: number): LifeRow[] {
  const { attempts, troubles } = activity;
  const last = attempts.at(-1);
  const head: LifeRow = {
    kind: 'activity',
    at: since(begunAt(activity), begin),
    name: activity.activity,
    about: activity.summary,
    took: tookOf(begunAt(activity), activity.finishedAt),
    says: stateWords(activity, last),
    isBad: activity.state === 'failed' || activity.state === 'timedOut',
  };
  const details =
    attempts.length > 1 || last?.failure != null ? attempts.map((attempt) => attemptRow(attempt, begin)) : [];
  return [head, ...details, ...troubles.map((trouble) => troubleRow(trouble, begin))];
}

/** Of the first attempt, which may have left no word. */
function begunAt({ scheduledAt, startedAt, attempts }: ActivityLife): string {
  if (attempts.length <= 1) return startedAt ?? scheduledAt;
  return attempts[0]?.startedAt ?? scheduledAt;
}

function stateWords({ state, scheduledAt, startedAt, queue }: ActivityLife, last: AttemptLife | undefined): string {
  if (state === 'waiting')
    return last !== undefined && last.last > 1 ? 'waits for its next attempt' : `waits on ${queue}`;
  const waitedMs = startedAt === null ? 0 : Date.parse(startedAt) - Date.parse(scheduledAt);
  const waited = waitedMs >= 1_000 && (last?.last ?? 1) === 1 ? ` after ${seconds(waitedMs)} in the queue` : '';
  if (state === 'completed') return waited.trim();
  return `${state === 'timedOut' ? 'timed out' : state}${waited}`;
}

function attemptRow(
  { first, last, startedAt, finishedAt, worker, outcome, failure }: AttemptLife,
  begin: number,
): LifeRow {
  const numbers = first === last ? String(first) : `${String(first)} to ${String(last)}`;
  const by = worker === null ? '' : ` by ${worker}`;
  return {
    kind: 'attempt',
    at: startedAt === null ? '' : since(startedAt, begin),
    name: `attempt${first === last ? '' : 's'} ${numbers}`,
    about: `${outcome}${outcome === 'waiting' ? '' : by}`,
    took: outcome === 'waiting' ? '' : tookOf(startedAt, finishedAt),
    says: failure === null ? '' : failureWords(failure),
    isBad: failure !== null,
  };
}

function troubleRow(trouble: TroubleLife, begin: number): LifeRow {
  const times = trouble.times === 1 ? 'once' : `${String(trouble.times)} times`;
  return {
    kind: 'trouble',
    at: since(trouble.firstAt, begin),
    name: 'trouble',
    about: times,
    took: tookOf(trouble.firstAt, trouble.lastAt),
    says: failureWords(trouble),
    isBad: true,
  };
}

function failureWords({ code, message, fault }: FailureLife): string {
  const line = message.split('\n').find((text) => text.trim() !== '') ?? '';
  return `${code}: ${line} ${whose(fault)}`;
}

function whose(fault: FailureLife['fault']): string {
  return fault === 'nobody' ? "(nobody's fault)" : `(fault: ${fault})`;
}

function since(at: string, begin: number): string {
  return `+${seconds(Math.max(0, Date.parse(at) - begin))}`;
}

function tookOf(from: string | null, to: string | null): string {
  return from === null || to === null ? '' : seconds(Math.max(0, Date.parse(to) - Date.parse(from)));
}

function seconds(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)}s`;
  const total = Math.round(ms / 1000);
  const hours = Math.floor(total / 3600);
  const minutes = `${String(Math.floor((total % 3600) / 60))}m${String(total % 60).padStart(2, '0')}s`;
  return hours === 0 ? minutes : `${String(hours)}h${minutes}`;
}
