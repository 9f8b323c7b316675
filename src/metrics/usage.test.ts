import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { metricsDocument } from '../../test/support/metrics-fixtures.js';
import { openStore } from '../store/open-store.js';
import type { Store } from '../store/store.js';
import { percentile, summarizeRun, type RunSummary } from './run-summary.js';
import { keepRun, readLatestUsage, readUsage } from './usage-log.js';
import { summarizeUsage } from './usage.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

function runOf(changes: Partial<RunSummary> = {}): RunSummary {
  return {
    version: 1,
    job: 'job/1',
    name: 'build',
    project: 'group/project',
    endedAtMs: 1_700_000_000_000,
    durationMs: 60_000,
    limits: { cpus: 2, memoryBytes: 4 * GIB },
    oomKills: 0,
    cpu: { peak: 1.8, p95: 1.5 },
    cpuSeconds: 60,
    memoryBytes: { peak: 3 * GIB, p95: 2 * GIB },
    throttledSeconds: 0,
    ...changes,
  };
}

function runs(count: number, changes: Partial<RunSummary> = {}): RunSummary[] {
  return Array.from({ length: count }, (_, at) =>
    runOf({ job: `job/${String(at)}`, endedAtMs: at * 1000, ...changes }),
  );
}

function adviceFor(count: number, changes: Partial<RunSummary> = {}): string | undefined {
  return summarizeUsage(runs(count, changes))[0]?.advice;
}

describe('percentile', () => {
  it('is one of the values, and at least that part of them does not exceed it', () => {
    const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 });
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (given, part) => {
        const found = percentile(given, part);

        expect(given).toContain(found);
        expect(given.filter((value) => value <= found).length / given.length).toBeGreaterThanOrEqual(part);
      }),
    );
  });
});

describe('summarizeRun', () => {
  const document = metricsDocument({
    project: 'p',
    window: { startMs: 0, endMs: 20_500 },
    stages: [{ name: 'step_script', startedAtMs: 1000, finishedAtMs: 20_000 }],
    queries: { cpu: 'c', memory: 'm' },
    series: [
      { query: 'cpu', labels: {}, values: [[5, '1'], [10, '0.5'], [15, 'NaN'], [20, '0.5']] }, // prettier-ignore
      { query: 'memory', labels: { container: 'a' }, values: [[5, '100'], [10, '200']] }, // prettier-ignore
      { query: 'memory', labels: { container: 'b' }, values: [[5, '10']] },
    ],
    limits: { cpus: 1, memoryBytes: 1000 },
    oomKills: 1,
  });

  it('has peaks, percentiles and the area of the graph where no counter is known', () => {
    expect(summarizeRun(document)).toEqual({
      version: 1,
      job: 'job/1',
      name: 'build',
      project: 'p',
      endedAtMs: 20_000,
      durationMs: 20_000,
      limits: { cpus: 1, memoryBytes: 1000 },
      oomKills: 1,
      cpu: { peak: 1, p95: 1 },
      cpuSeconds: 10,
      memoryBytes: { peak: 200, p95: 200 },
    });
  });

  it("believes the machine's counters more than the graph", () => {
    const totals = { cpuSeconds: 12, cpuThrottledSeconds: 3 };

    expect(summarizeRun({ ...document, totals })).toMatchObject({ cpuSeconds: 12, throttledSeconds: 3 });
  });

  it('says nothing of what was not measured, but keeps an out-of-memory kill', () => {
    const run = summarizeRun({ ...document, outcome: 'no_samples', series: [] });

    expect(run).toMatchObject({ oomKills: 1 });
    expect(run.cpu).toBeUndefined();
    expect(run.memoryBytes).toBeUndefined();
  });
});

describe('advice', () => {
  it('names a limit that was never needed, what was used, and what would do', () => {
    expect(
      adviceFor(3, { limits: { cpus: null, memoryBytes: 4 * GIB }, memoryBytes: { peak: 700 * MIB, p95: MIB } }),
    ).toBe('asks 4.0 GiB, never used more than 700.0 MiB: 960.0 MiB would do');
    expect(adviceFor(3, { cpu: { peak: 0.4, p95: 0.4 } })).toBe('asks 2 cores, never used more than 0.4 cores');
  });

  it('waits for a few runs before it takes away', () => {
    expect(adviceFor(2, { memoryBytes: { peak: MIB, p95: MIB } })).toBe('too few runs to say (2)');
  });

  it('tells at once of too little', () => {
    expect(adviceFor(1, { oomKills: 1 })).toBe('was out of memory once with 4.0 GiB: give it more');
    expect(adviceFor(1, { memoryBytes: { peak: 3.9 * GIB, p95: 1 } })).toContain(
      'came to 3.9 GiB of 4.0 GiB: give it more',
    );
    expect(adviceFor(1, { throttledSeconds: 30 })).toContain('held it back for 50 % of its CPU time');
  });

  it('forgets what happened under a limit that was raised since', () => {
    const before = runOf({
      job: 'job/before',
      endedAtMs: 0,
      limits: { cpus: 1, memoryBytes: 64 * MIB },
      oomKills: 1,
      cpuSeconds: 10,
      throttledSeconds: 10_000,
    });
    const [usage] = summarizeUsage([before, ...runs(19)]);

    expect(usage).toMatchObject({ advice: 'fits', oomKills: 1, throttledPart: 0 });
  });

  it('remembers what happened under a limit that was higher, or under none', () => {
    const [lowered] = summarizeUsage([
      runOf({ endedAtMs: 0, limits: { cpus: 2, memoryBytes: 8 * GIB }, oomKills: 1 }),
      runOf({ endedAtMs: 1, limits: { cpus: 2, memoryBytes: null }, oomKills: 1 }),
      ...runs(3),
    ]);
    const [unlimited] = summarizeUsage([
      runOf({ endedAtMs: 0, oomKills: 1 }),
      runOf({ limits: { cpus: null, memoryBytes: null } }),
    ]);

    expect(lowered?.advice).toBe('was out of memory 2 times with 4.0 GiB: give it more');
    expect(unlimited?.advice).not.toContain('out of memory');
  });

  it('fits, has no limits, or was never measured', () => {
    expect(adviceFor(3)).toBe('fits');
    expect(adviceFor(3, { limits: { cpus: null, memoryBytes: null } })).toBe(
      'no limits; used up to 3.0 GiB and 1.8 cores',
    );
    const nothing = { ...runOf() };
    delete nothing.cpu;
    delete nothing.memoryBytes;
    expect(summarizeUsage([nothing])[0]).toMatchObject({ advice: 'not measured yet', cpu: null, memoryBytes: null });
  });
});

describe('summarizeUsage', () => {
  it('takes the highest peak of all runs and the limits of the last', () => {
    const older = runOf({ endedAtMs: 1, memoryBytes: { peak: 9, p95: 8 }, limits: { cpus: 1, memoryBytes: 1 } });

    expect(summarizeUsage([runOf({ oomKills: 2 }), older])).toMatchObject([
      { runs: 2, memoryBytes: { peak: 3 * GIB, p95: 2 * GIB }, limits: { cpus: 2 }, oomKills: 2, throttledPart: 0 },
    ]);
  });

  it('keeps names of different projects apart', () => {
    const usage = summarizeUsage([
      runOf({ project: 'b' }),
      runOf({ project: 'a' }),
      runOf({ project: 'a', name: 'a' }),
    ]);

    expect(usage.map(({ project, name }) => `${project} ${name}`)).toEqual(['a a', 'a build', 'b build']);
  });
});

describe('the kept runs', () => {
  let directory: string;
  let store: Store;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-usage-'));
    store = await openStore({ directory });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('are the last ones of a name, each once, however often it is kept', async () => {
    for (const run of runs(7)) await keepRun(store, run, 5);
    await keepRun(store, runOf({ job: 'job/6', endedAtMs: 6000 }), 5);

    const [usage] = await readUsage(store);

    expect(usage).toMatchObject({ runs: 5, lastRunAt: new Date(6000).toISOString() });
    expect(await store.list('usage')).toHaveLength(5);
  });

  it('are read for one project or one name alone', async () => {
    await keepRun(store, runOf({ project: 'a' }), 5);
    await keepRun(store, runOf({ project: 'b', name: 'x/../y "ü"\n'.repeat(50) }), 5);
    await keepRun(store, runOf({ project: 'b', name: 'lint' }), 5);

    expect(await readUsage(store)).toHaveLength(3);
    expect((await readUsage(store, { project: 'a' })).map(({ project }) => project)).toEqual(['a']);
    expect((await readUsage(store, { project: 'b', name: 'lint' })).map(({ name }) => name)).toEqual(['lint']);
    expect(await readUsage(store, { project: 'nobody' })).toEqual([]);
  });

  it('are read of the names that ran last alone, of all projects', async () => {
    for (const [project, name, at] of [
      ['a', 'old', 1],
      ['a', 'new', 5],
      ['b', 'mid', 3],
      ['a', 'old', 2],
    ] as const)
      await keepRun(store, runOf({ project, name, job: `job/${String(at)}`, endedAtMs: at }), 5);

    const named = async (most: number) => (await readLatestUsage(store, most)).map(({ name, runs }) => [name, runs]);
    expect(await named(2)).toEqual([
      ['new', 1],
      ['mid', 1],
    ]);
    expect(await named(9)).toEqual([
      ['new', 1],
      ['old', 2],
      ['mid', 1],
    ]);
    expect(await named(0)).toEqual([]);
  });

  it('are of a bounded number of names: the one that ran longest ago goes', async () => {
    for (let at = 0; at < 4; at++)
      await keepRun(store, runOf({ name: `branch-${String(at)}`, endedAtMs: at * 1000 }), 5, 3);

    const names = (await readUsage(store, { project: 'group/project' })).map(({ name }) => name);

    expect(names).toEqual(['branch-1', 'branch-2', 'branch-3']);
  });
});
