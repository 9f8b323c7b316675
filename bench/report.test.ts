import { describe, expect, it } from 'vitest';
import { aimsTable, toEntry } from './report.js';

const findings = {
  figures: { seconds: 1.2 },
  aims: [
    { what: 'an empty job', value: 1.2, atMost: 1, unit: 's' },
    { what: 'jobs', value: 120, atLeast: 120, unit: 'jobs/min' },
  ],
};

describe('a report', () => {
  it('says of every aim whether it is met; the bound itself is', () => {
    expect(toEntry(findings).aims.map(({ met }) => met)).toEqual([false, true]);
  });

  it('shows the aims as a table of even columns, failures last', () => {
    const text = aimsTable({ measurements: { 'empty-job': toEntry(findings) }, failures: { trace: 'no engine' } });
    const [head = '', first = '', second = '', failed = ''] = text.split('\n');
    expect(first).toContain('1.2 s');
    expect(first).toMatch(/≤ 1 s +MISSED$/);
    expect(second).toMatch(/≥ 120 jobs\/min +met$/);
    expect(failed).toMatch(/^trace +no engine +FAILED$/);
    expect(first.indexOf('an empty job')).toBe(head.indexOf('what'));
  });
});
