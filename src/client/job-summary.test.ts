import type { WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { toSummary, type ExecutionFacts } from './job-summary.js';

type Name = WorkflowExecutionInfo['status']['name'];

function info(name: Name, attributes: Record<string, string>): ExecutionFacts {
  const pairs = Object.entries(attributes).map(([key, value]) => ({
    key: defineSearchAttributeKey(key, 'KEYWORD'),
    value,
  }));
  return {
    workflowId: 'job/1',
    status: { name } as WorkflowExecutionInfo['status'],
    startTime: new Date(0),
    closeTime: name === 'RUNNING' ? undefined : new Date(1),
    typedSearchAttributes: new TypedSearchAttributes(pairs),
  };
}

describe('the summary of a job', () => {
  it.each<[Name, string | undefined, string, string | null]>([
    ['RUNNING', 'running', 'running', null],
    ['RUNNING', undefined, 'pending', null],
    ['TERMINATED', 'running', 'canceled', 'job_canceled'],
    ['TERMINATED', undefined, 'canceled', 'job_canceled'],
    ['TIMED_OUT', 'finishing', 'failed', 'runner_system_failure'],
    ['FAILED', undefined, 'failed', 'runner_system_failure'],
    ['TERMINATED', 'success', 'success', null],
    ['FAILED', 'canceled', 'canceled', null],
  ])('whose workflow is %s and said %s is %s (%s)', (name, told, state, failureReason) => {
    const summary = toSummary(info(name, told === undefined ? {} : { HoldfastJobState: told }));

    expect(summary).toMatchObject({ state, failureReason });
  });

  it('gives the reason that its workflow gave', () => {
    const attributes = { HoldfastJobState: 'failed', HoldfastFailureReason: 'runner_unsupported' };

    expect(toSummary(info('FAILED', attributes)).failureReason).toBe('runner_unsupported');
  });

  it('waits for no metrics of a workflow that has closed', () => {
    const attributes = { HoldfastMetrics: 'pending' };

    expect(toSummary(info('RUNNING', attributes)).metrics).toBe('pending');
    expect(toSummary(info('TERMINATED', attributes)).metrics).toBe('none');
    expect(toSummary(info('TERMINATED', { ...attributes, HoldfastJobState: 'success' })).metrics).toBe('failed');
  });
});
