import type { ActivateInput } from '@temporalio/workflow';
import { describe, expect, it } from 'vitest';
import { READ_ANEW } from '../contracts/names.js';
import { interceptors } from './query-ahead.js';

type Activation = ActivateInput['activation'];

const RESULT = { resolveActivity: {} };
const SIGNAL = { signalWorkflow: {} };
const QUERY = { queryWorkflow: {} };

/** @returns which of the activations are let through, or why one is not */
function outcomes(...activations: Activation[]): string[] {
  const { internals = [] } = interceptors();
  return activations.map((activation) => {
    let outcome = 'held back';
    try {
      internals[0]?.activate?.({ activation, batchIndex: 0 }, () => (outcome = 'let through'));
    } catch (error) {
      return String(error);
    }
    return outcome;
  });
}

function activation(taskStarted: number, historyLength: number, ...jobs: object[]): Activation {
  // As the SDK hands it over: a long integer that is an object.
  const seconds = { toString: () => String(taskStarted) };
  return { timestamp: { seconds, nanos: 5 }, historyLength, jobs } as unknown as Activation;
}

describe('a workflow', () => {
  it('goes on with each task, in as many activations as it takes, whatever is asked in between', () => {
    const all = [
      activation(1, 3, { initializeWorkflow: {} }),
      activation(1, 3, QUERY),
      activation(2, 9, SIGNAL, RESULT),
      activation(2, 9, { resolveActivity: { status: { cancelled: {} } } }),
      activation(2, 9, QUERY),
      activation(3, 15, RESULT),
    ];

    expect(outcomes(...all)).toEqual(all.map(() => 'let through'));
  });

  it('answers queries of more history than its tasks have taken, and is read anew by the next task', () => {
    expect(
      outcomes(
        activation(1, 3, { initializeWorkflow: {} }),
        activation(1, 8, RESULT),
        activation(1, 8, QUERY),
        activation(1, 8, QUERY),
        activation(2, 12, SIGNAL),
      ),
    ).toEqual([...Array<string>(4).fill('let through'), `Error: ${READ_ANEW}`]);
  });

  it('may be shown yet more by a further query', () => {
    expect(
      outcomes(
        activation(1, 3, { initializeWorkflow: {} }),
        activation(1, 8, RESULT),
        activation(1, 10, SIGNAL),
        activation(1, 10, QUERY),
        activation(2, 13, RESULT),
      ),
    ).toEqual([...Array<string>(4).fill('let through'), `Error: ${READ_ANEW}`]);
  });
});
