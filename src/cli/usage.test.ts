import { describe, expect, it } from 'vitest';
import { summarizeUsage } from '../metrics/usage.js';
import { usageTable } from './usage.js';

describe('usageTable', () => {
  it('is a line a job name, with its advice; what was not measured is a dash', () => {
    const usage = summarizeUsage([
      {
        version: 1,
        job: 'job/1',
        name: 'build\u001b[2J',
        project: 'group/project',
        endedAtMs: 0,
        durationMs: 1000,
        limits: { cpus: 2, memoryBytes: null },
        oomKills: 1,
        memoryBytes: { peak: 1024 ** 2, p95: 1024 },
      },
    ]);

    expect(usageTable(usage)).toMatchInlineSnapshot(`
      "PROJECT        JOB        RUNS  CPU PEAK  P95  LIMIT  MEMORY PEAK  P95      LIMIT  THROTTLED  OOM  ADVICE
      group/project  build [2J  1     -         -    2.00   1.0 MiB      1.0 KiB  -      -          1    was out of memory once without a limit of its own: give it more
      "
    `);
  });

  it('says where the figures come from when there are none', () => {
    expect(usageTable([])).toMatch(/^no runs are kept yet/);
  });
});
