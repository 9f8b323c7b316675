import { expect, it } from 'vitest';
import { silentLogger } from '../telemetry/logger.js';
import type { TaskWorker } from './serve.js';
import { takeIn } from './take-in.js';

const NEVER = new AbortController().signal;

/** A pool whose worker gives each job its machine as soon as it runs. */
function setup(waiting: Record<string, string>) {
  const opened: string[] = [];
  const states: string[] = [];
  const jobs = new Map(Object.entries(waiting));

  function workerOf(pool: string): TaskWorker {
    const index = states.push('INITIALIZED') - 1;
    let over: (() => void) | undefined;
    return {
      run() {
        states[index] = 'RUNNING';
        for (const [job, where] of jobs) if (where === pool) jobs.delete(job);
        return new Promise<void>((resolve) => (over = resolve));
      },
      shutdown() {
        states[index] = 'STOPPED';
        over?.();
      },
      getState: () => states[index] as ReturnType<TaskWorker['getState']>,
    };
  }

  return {
    opened,
    states,
    jobs,
    deps: {
      withoutMachine: () => Object.entries(waiting).map(([workflowId, pool]) => ({ workflowId, pool })),
      waits: (workflowId: string) => Promise.resolve(jobs.has(workflowId)),
      openPool: (pool: string) => {
        opened.push(pool);
        return Promise.resolve([workerOf(pool)]);
      },
      logger: silentLogger,
      othersMs: 5,
    },
  };
}

it('polls once more the pools of jobs that came last, and no longer than until they have a machine', async () => {
  const { deps, opened, states, jobs } = setup({ a: 'big', b: 'big', c: 'small' });

  await takeIn(deps, NEVER);

  expect(opened).toEqual(['big', 'small']);
  expect(states).toEqual(['STOPPED', 'STOPPED']);
  expect(jobs.size).toBe(0);
});

it('polls for no job that another worker has taken, and for none at all', async () => {
  const taken = setup({ a: 'big' });
  taken.jobs.clear();
  const none = setup({});

  await takeIn(taken.deps, NEVER);
  await takeIn(none.deps, NEVER);

  expect([...taken.opened, ...none.opened]).toEqual([]);
});

it('waits for no machine when the process is to hand over', async () => {
  const { deps, states } = setup({ a: 'big' });
  const cut = new AbortController();
  const full = { ...deps, waits: () => Promise.resolve(true) };
  const over = takeIn(
    {
      ...full,
      openPool: (pool) => {
        setImmediate(() => cut.abort());
        return deps.openPool(pool);
      },
    },
    cut.signal,
  );

  await over;
  await takeIn(full, cut.signal);

  expect(states).toEqual(['STOPPED']);
});
