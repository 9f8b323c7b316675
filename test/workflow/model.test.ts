import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFakeWorld, type FakeWorld } from './fake-world.js';
import { checkHistory } from './model/check-history.js';
import { expectedOf } from './model/expected.js';
import { FOUND } from './model/found.js';
import { jobHistory, type JobHistory } from './model/job-history.js';

const SEED = 20_261_124;
const RUNS = 120;
/** At once: they mostly wait. */
const ABREAST = 16;
const SHRINK_MS = 20_000;

let world: FakeWorld;

beforeAll(async () => {
  world = await startFakeWorld();
});

afterAll(() => world.close());

interface Failure {
  run: number;
  history: JobHistory;
  problems: string[];
}

describe('whatever becomes of its parts, and whatever arrives when', () => {
  it('a job releases what it was given, reports once and truly, runs no script twice, and ends', async () => {
    const { failures, slow } = await playAll(fc.sample(jobHistory, { seed: SEED, numRuns: RUNS }));

    expect(failures.length === 0 ? [] : await explained(failures)).toEqual([]);
    expect(slow, 'histories of which nothing can be said, for this machine was too slow').toBeLessThan(RUNS / 10);
  }, 300_000);
});

describe('a history that went wrong once, or that chance brings too seldom', () => {
  it.concurrent.each(FOUND)('$name', async ({ history, ends }) => {
    const { state, failureReason, told, machines } = expectedOf(history);

    expect({ state, failureReason, told, machines }).toEqual({ told: undefined, ...ends });
    expect(await checkHistory(world, history)).toEqual([]);
  });
});

async function playAll(histories: JobHistory[]): Promise<{ failures: Failure[]; slow: number }> {
  const failures: Failure[] = [];
  const waiting = histories.map((history, run) => ({ history, run }));
  let slow = 0;
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const problems = await checkHistory(world, next.history);
      if (problems === 'slow') slow += 1;
      else if (problems.length > 0) failures.push({ ...next, problems });
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, lane));
  return { failures, slow };
}

/** All of them in a line each, and the smallest history that can be found to fail like the first. */
async function explained(failures: Failure[]): Promise<string[]> {
  const [first] = failures.toSorted((one, other) => one.run - other.run);
  const property = fc.asyncProperty(jobHistory, async (history) => {
    const problems = await checkHistory(world, history);
    if (problems !== 'slow' && problems.length > 0) throw new Error(problems.join('\n'));
  });
  const smallest = await fc.check(property, {
    seed: SEED,
    path: String(first?.run),
    interruptAfterTimeLimit: SHRINK_MS,
    markInterruptAsFailure: true,
  });
  return [
    ...failures.map(({ run, problems }) => `seed ${String(SEED)}, run ${String(run)}: ${problems.join('; ')}`),
    `Smallest like run ${String(first?.run)} (path ${smallest.counterexamplePath ?? 'none'}): ${JSON.stringify(smallest.counterexample)}`,
    String(smallest.errorInstance),
  ];
}
