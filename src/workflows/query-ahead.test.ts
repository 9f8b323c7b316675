import type { ActivateInput } from '@temporalio/workflow';
import { describe, expect, it } from 'vitest';
import { READ_ANEW } from '../contracts/names.js';
import { keepingToTasks } from './query-ahead.js';

const START = { initializeWorkflow: {} };
const RESULT = { resolveActivity: {} };
const SIGNAL = { signalWorkflow: {} };
const DIRECT_QUERY = { queryWorkflow: { queryId: 'legacy_query' } };
const QUERY_WITH_TASK = { queryWorkflow: { queryId: '7c1e' } };
const REFUSED = `Error: ${READ_ANEW}`;

/** Of the first workflow task. */
const FIRST = { startedAtMs: 1_000_000, bytes: 300, events: 3, isReplaying: false };
/** What came after it, and that no task has taken. */
const AHEAD = { ...FIRST, events: 8 };
const SECOND = { startedAtMs: 1_040_000, bytes: 900, events: 10, isReplaying: false };

/** A workflow in the memory of a worker. `act` says whether it was let through, or why not. */
function workflow() {
  let nowMs = 0;
  const { internals = [] } = keepingToTasks(() => nowMs);
  return {
    setClock: (ms: number) => (nowMs = ms),
    act(job: object, { startedAtMs, bytes, events, isReplaying }: typeof FIRST): string {
      const activation = {
        isReplaying,
        jobs: [job],
        historyLength: events,
        // As the SDK hands them over: long integers that are objects.
        historySizeBytes: { toString: () => String(bytes) },
        timestamp: { seconds: { valueOf: () => startedAtMs / 1_000 }, nanos: 250_000 },
      } as unknown as ActivateInput['activation'];
      let outcome = 'let through';
      try {
        internals[0]?.activate?.({ activation, batchIndex: 0 }, () => undefined);
      } catch (error) {
        outcome = String(error);
      }
      return outcome;
    },
  };
}

describe('a query that no workflow task brings', () => {
  it('has its answer right after a task, and between two', () => {
    const { setClock, act } = workflow();
    setClock(FIRST.startedAtMs + 40);
    act(START, FIRST);

    expect(act(DIRECT_QUERY, FIRST)).toBe('let through');
    setClock(SECOND.startedAtMs + 40);
    act(RESULT, SECOND);
    act({ resolveActivity: { status: { cancelled: {} } } }, SECOND);
    expect(act(DIRECT_QUERY, SECOND)).toBe('let through');
  });

  it('has it from what was read from the history alone, however old', () => {
    const { setClock, act } = workflow();
    setClock(SECOND.startedAtMs + 3_600_000);
    act(START, { ...FIRST, isReplaying: true });
    act(RESULT, { ...SECOND, isReplaying: true });

    expect(act(DIRECT_QUERY, SECOND)).toBe('let through');
  });

  it('has none where it has brought events that are of no task', () => {
    const { setClock, act } = workflow();
    setClock(FIRST.startedAtMs + 40);
    act(START, FIRST);
    act(RESULT, AHEAD);

    expect(act(DIRECT_QUERY, AHEAD)).toBe(REFUSED);
  });

  it('has none then however many goes that took', () => {
    const { setClock, act } = workflow();
    setClock(FIRST.startedAtMs + 40);
    act(START, FIRST);
    act(RESULT, AHEAD);
    act({ resolveActivity: { status: { cancelled: {} } } }, AHEAD);

    expect(act(DIRECT_QUERY, AHEAD)).toBe(REFUSED);
  });

  it('has none where it may have brought those of a task that another worker never ended', () => {
    const { setClock, act } = workflow();
    act(START, { ...FIRST, isReplaying: true });
    setClock(SECOND.startedAtMs + 1_500);
    act(RESULT, SECOND);
    setClock(SECOND.startedAtMs + 2_000);

    expect(act(DIRECT_QUERY, SECOND)).toBe(REFUSED);
  });

  it('has one where a late task was acted on a while ago', () => {
    const { setClock, act } = workflow();
    setClock(SECOND.startedAtMs + 1_500);
    act(RESULT, SECOND);
    setClock(SECOND.startedAtMs + 5_000);

    expect(act(DIRECT_QUERY, SECOND)).toBe('let through');
  });

  it('has one where the clock of Temporal was set back: then all tasks have one time for a while, but not one size', () => {
    const { setClock, act } = workflow();
    setClock(FIRST.startedAtMs + 40);
    act(START, FIRST);
    act(RESULT, { ...SECOND, startedAtMs: FIRST.startedAtMs });

    expect(act(DIRECT_QUERY, SECOND)).toBe('let through');
  });
});

it('holds no workflow task back, nor a query that comes with one', () => {
  const { setClock, act } = workflow();
  setClock(FIRST.startedAtMs + 40);

  for (const job of [START, RESULT, QUERY_WITH_TASK, SIGNAL, QUERY_WITH_TASK])
    expect(act(job, AHEAD)).toBe('let through');
});
