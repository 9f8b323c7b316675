import type { ActivateInput } from '@temporalio/workflow';
import { describe, expect, it } from 'vitest';
import { READ_ANEW } from '../contracts/names.js';
import { keepingToTasks } from './query-ahead.js';

const START = { initializeWorkflow: {} };
const RESULT = { resolveActivity: {} };
const SIGNAL = { signalWorkflow: {} };
const DIRECT_QUERY = { queryWorkflow: { queryId: 'legacy_query' } };
const QUERY_WITH_TASK = { queryWorkflow: { queryId: '7c1e' } };
const FROM_HISTORY = { isReplaying: true };

/** A workflow in the memory of a worker. `act` says whether it was let through, or why not. */
function workflow() {
  let nowMs = 1_000_000;
  const { internals = [] } = keepingToTasks(() => nowMs);
  return {
    after: (ms: number) => (nowMs += ms),
    act(job: object, { isReplaying = false } = {}): string {
      const activation = { isReplaying, jobs: [job] } as unknown as ActivateInput['activation'];
      let outcome = 'held back';
      try {
        internals[0]?.activate?.({ activation, batchIndex: 0 }, () => (outcome = 'let through'));
      } catch (error) {
        return String(error);
      }
      return outcome;
    },
  };
}

describe('a query that no workflow task brings', () => {
  it('has its answer from what was read from the history alone', () => {
    const { act } = workflow();

    expect(act(START, FROM_HISTORY)).toBe('let through');
    expect(act(RESULT, FROM_HISTORY)).toBe('let through');
    expect(act(DIRECT_QUERY)).toBe('let through');
    expect(act(DIRECT_QUERY)).toBe('let through');
  });

  it('has none where it may have brought what was just acted on', () => {
    const { act, after } = workflow();
    act(START, FROM_HISTORY);
    act(RESULT);
    after(900);

    expect(act(DIRECT_QUERY)).toBe(`Error: ${READ_ANEW}`);
  });

  it('has none then whatever this clock says', () => {
    const { act, after } = workflow();
    act(RESULT);
    after(-3_600_000);

    expect(act(DIRECT_QUERY)).toBe(`Error: ${READ_ANEW}`);
  });

  it('has one from a workflow that has long been at rest', () => {
    const { act, after } = workflow();
    act(START);
    after(3_000);

    expect(act(DIRECT_QUERY)).toBe('let through');
  });
});

it('holds no workflow task back, nor a query that comes with one', () => {
  const { act } = workflow();

  for (const job of [START, RESULT, QUERY_WITH_TASK, SIGNAL, QUERY_WITH_TASK]) expect(act(job)).toBe('let through');
});
