import { describe, expect, it } from 'vitest';
import { toListQuery } from './list-query.js';

describe('a filter of jobs', () => {
  it('asks for the state that is shown: nothing of a closed workflow goes on', () => {
    expect(toListQuery({ state: 'success' })).toBe("WorkflowType = 'ciJob' AND HoldfastJobState = 'success'");
    expect(toListQuery({ state: 'running' })).toContain("HoldfastJobState = 'running' AND CloseTime IS NULL");
    expect(toListQuery({ state: 'pending' })).toContain('OR HoldfastJobState IS NULL) AND CloseTime IS NULL');
    expect(toListQuery({ state: 'canceled' })).toContain("OR (ExecutionStatus IN ('Terminated', 'Canceled') AND");
  });

  it('asks for failed metrics, too, where a replay may have made of them what is wanted', () => {
    for (const metrics of ['uploaded', 'stored'] as const)
      expect(toListQuery({ metrics })).toContain(`(HoldfastMetrics = '${metrics}' OR HoldfastMetrics = 'failed' OR (`);
  });

  it('takes metrics that a closed workflow had not collected for failed, where its job was over', () => {
    const never = "(HoldfastMetrics = 'pending' AND CloseTime IS NOT NULL AND";
    const over = "HoldfastJobState IN ('success', 'failed', 'canceled')";
    const undecided =
      "(HoldfastJobState IN ('pending', 'preparing', 'running', 'finishing') OR HoldfastJobState IS NULL)";

    expect(toListQuery({ metrics: 'pending' })).toContain("HoldfastMetrics = 'pending' AND CloseTime IS NULL");
    expect(toListQuery({ metrics: 'failed' })).toContain(`(HoldfastMetrics = 'failed' OR ${never} ${over}))`);
    expect(toListQuery({ metrics: 'none' })).toContain(`(HoldfastMetrics = 'none' OR ${never} ${undecided}))`);
  });
});
