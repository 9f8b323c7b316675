import { eventsAt, type JobHistory, type Point } from './job-history.js';
import { CANCELED, TIMED_OUT, type Verdict } from './verdict.js';

/** What ends a job from outside; the later one outranks the earlier. */
export type Ending = 'job limit' | 'cancel' | 'abort';
const RANK: Record<Ending, number> = { 'job limit': 1, cancel: 2, abort: 3 };

/** A job on its way: what was done for it, and what has arrived meanwhile. */
export class ExpectedCourse {
  readonly calls: string[] = [];
  readonly machines: number[] = [];
  /** Attempt whose machine has run something last. */
  measured: number | undefined;
  /** What ends the present machine; after_script and the next machine begin without. */
  ending: Ending | undefined;
  everCanceled = false;
  workflowCanceled = false;
  released = false;
  /** There is a coordinator that wants to hear of the job. */
  talking: boolean;
  /** There are artifacts to deliver. */
  artifacts = false;

  readonly history: JobHistory;

  constructor(history: JobHistory) {
    this.history = history;
    this.talking = history.coordinator && history.report === 'ok';
  }

  call(attempt: number, at: Point): void {
    this.calls.push(`${String(attempt)} ${at}`);
    for (const { kind } of eventsAt(this.history, attempt, at)) {
      if (kind === 'release') this.released = true;
      if (kind === 'cancel' && !this.workflowCanceled) {
        this.workflowCanceled = true;
        this.raise('cancel');
      }
      if (kind === 'coordinator cancels' && this.talking) this.raise('cancel');
      if (kind === 'coordinator aborts' && this.talking) {
        this.talking = false;
        this.raise('abort');
      }
    }
  }

  raise(kind: Ending): void {
    if (kind !== 'job limit') this.everCanceled = true;
    if (this.ending === undefined || RANK[kind] > RANK[this.ending]) this.ending = kind;
  }

  /** The verdict on a part that was ended, or is not begun any more; undefined: nothing ends it. */
  verdictOfEnding(): Verdict | undefined {
    if (this.ending === undefined) return undefined;
    return this.ending === 'job limit' ? TIMED_OUT : CANCELED;
  }

  /** Nothing more is done on the machine: nobody waits for it, or the coordinator takes nothing more. */
  isEndedForGood(): boolean {
    return this.ending === 'abort' || (this.ending === 'job limit' && this.history.coordinator);
  }
}
