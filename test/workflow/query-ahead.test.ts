import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { askStatus } from '../../src/client/ask-status.js';
import { PREPARING_SIGNAL, READ_ANEW, STATUS_QUERY } from '../../src/contracts/names.js';
import { provisioned, startFakeWorld, type FakeWorld } from './fake-world.js';

let world: FakeWorld;

beforeAll(async () => {
  world = await startFakeWorld();
});

afterAll(() => world.close());

it(
  'goes on after a query that brought another worker what no workflow task had taken',
  { timeout: 60_000 },
  async () => {
    let letPass = (): void => undefined;
    const gate = new Promise<void>((resolve) => (letPass = resolve));
    const job = await world.start(
      { script: ['true'] },
      {
        provisionMachine: async (input) => {
          await gate;
          return provisioned(input);
        },
      },
    );
    await expect.poll(() => job.names()).toContain('provisionMachine');
    // The worker that has it in memory has answered for it: Temporal counts on it.
    expect((await job.status()).state).toBe('pending');
    await world.cutOff();
    // Until Temporal has heard of it, it would give the question away.
    await delay(1_000);
    // Temporal looks for the worker that has the workflow in memory first, for 10 s; then any one is asked. In between the machine comes.
    const asked = expect(job.handle.query(STATUS_QUERY)).rejects.toThrow(READ_ANEW);
    await delay(1_000);
    letPass();
    await world.startSuccessor();
    await asked;
    // In the same task as the machine, and before it.
    await job.handle.signal(PREPARING_SIGNAL);

    expect((await askStatus(job.handle)).state).toMatch(/running|finishing|success/);
    expect(await job.result()).toMatchObject({ state: 'success' });
    await job.handle.result();
    const history = await job.handle.fetchHistory();
    await Worker.runReplayHistory({ workflowBundle: { codePath: 'dist/workflow-bundle.js' } }, history, 'job/replayed');
  },
);
