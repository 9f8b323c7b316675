import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { peakRssMiB } from '../../bench/process-usage.js';
import { summarize } from '../../bench/statistics.js';
import type { JobHandle } from '../../src/client.js';
import type { CiJobResult } from '../../src/contracts/ci-job.js';
import { jobKeys } from '../../src/store/keys.js';
import { buildNoOpWorker } from '../support/no-op/build.js';
import { STEP_OUTPUT } from '../support/no-op/engine.js';
import { until } from '../support/processes.js';
import { startStack, type Stack } from '../support/stack.js';

const JOBS = 100;
/** The worker is killed when so many scripts have begun. */
const KILLED_AT = [15, 45, 75];

let stack: Stack;

beforeAll(async () => {
  stack = await startStack({ engine: { capacity: JOBS }, prometheus: false, workerProgram: buildNoOpWorker });
});

afterAll(async () => {
  await stack.close();
});

describe(`${String(JOBS)} jobs at once, on machines that do nothing, over ${String(KILLED_AT.length)} kills of their worker`, () => {
  it('none is lost, none runs twice, nothing is left', async () => {
    const handles = await Promise.all(
      Array.from({ length: JOBS }, (_, index) =>
        stack.client.startJob({ name: `many-${String(index)}`, script: ['true'], variables: { GIT_STRATEGY: 'none' } }),
      ),
    );
    const results = Promise.all(handles.map((handle) => handle.result()));
    results.catch(() => undefined); // told below, after the kills
    const memory: number[] = [];
    for (const runs of KILLED_AT) {
      await until(`${String(runs)} scripts`, () => runsOfScripts().length >= runs, 120_000);
      memory.push(peakRssMiB(stack.worker().pid));
      await stack.worker().stop('SIGKILL');
      await stack.startWorker();
    }
    const ended = await results;
    memory.push(peakRssMiB(stack.worker().pid));

    expect(tallyOf(ended)).toEqual({ success: JOBS });
    expect(runsOfScripts()).toHaveLength(JOBS);
    for (const handle of handles) expect(await outputsOf(handle)).toBe(1);
    await until('machines that are gone', () => entriesOf('machines').length === 0);
    await report(handles, memory);
  });
});

function entriesOf(name: 'machines' | 'steps'): string[] {
  return readdirSync(join(stack.directory, 'no-op', name));
}

/** One a machine: a script that ran again did so on another machine. */
function runsOfScripts(): string[] {
  return entriesOf('steps').filter((entry) => entry.endsWith('.step_script'));
}

function tallyOf(results: readonly CiJobResult[]): Record<string, number> {
  const tally: Record<string, number> = {};
  for (const { state } of results) tally[state] = (tally[state] ?? 0) + 1;
  return tally;
}

/** How often what the script prints is in the trace. */
async function outputsOf(handle: JobHandle): Promise<number> {
  const trace = await stack.client.store.read(jobKeys.trace(handle.workflowId));
  return (trace ?? Buffer.alloc(0)).toString().split(STEP_OUTPUT).length - 1;
}

async function report(handles: readonly JobHandle[], memory: readonly number[]): Promise<void> {
  const histories = await Promise.all(
    handles.map((handle) => stack.client.temporal.workflow.getHandle(handle.workflowId).describe()),
  );
  const events = summarize(histories.map(({ historyLength }) => historyLength));
  const kib = summarize(histories.map(({ historySize = NaN }) => historySize / 1024));
  process.stdout.write(
    `\n${String(JOBS)} jobs, ${String(KILLED_AT.length)} kills: worker's peak memory ${memory.join(', ')} MiB;` +
      ` history of a job: median ${String(events.median)} events, ${String(kib.median)} KiB; at most ${String(events.max)} events, ${String(kib.max)} KiB\n`,
  );
}
