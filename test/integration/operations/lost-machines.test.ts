import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mayRunAnEngine, startOwnEngine, type OwnEngine } from '../../support/faults/own-engine.js';
import { until } from '../../support/processes.js';
import { TEST_IMAGE } from '../../support/docker.js';
import { startStack, type Stack } from '../../support/stack.js';

let engine: OwnEngine;
let stack: Stack;

/** Runs until its machine is lost. */
const ENDLESS = { image: TEST_IMAGE, script: ['echo begun', 'sleep 600'] };

describe.skipIf(!mayRunAnEngine)('an engine that loses machine after machine', () => {
  beforeAll(async () => {
    engine = await startOwnEngine();
    stack = await startStack({
      prometheus: false,
      metrics: { enabled: false },
      docker: (...args) => engine.docker(...args),
      engine: { docker: { host: `unix://${engine.socket}` }, helperImage: TEST_IMAGE, warm: 0 },
      top: { worker: { poisonAfter: 2 } },
    });
  });

  afterAll(async () => {
    await stack.close().finally(() => engine.close());
  });

  /** Several machines under their script, and the engine killed and started again. */
  async function loseAllOf(count: number): Promise<void> {
    const jobs = await Promise.all(Array.from({ length: count }, () => stack.client.startJob(ENDLESS)));
    await until(
      `${String(count)} running scripts`,
      async () => (await Promise.all(jobs.map((job) => hasBegun(job.trace({ follow: false }))))).every(Boolean),
      90_000,
    );
    await engine.kill();
    await engine.start();
    for (const job of jobs) expect(await job.result()).toMatchObject({ failureReason: 'runner_system_failure' });
  }

  const timesOut = () => logLines('taken out of rotation').length;
  const logLines = (text: string) =>
    readFileSync(join(stack.directory, 'worker.log'), 'utf8')
      .split('\n')
      .filter((line) => line.includes(text));

  it('has failed once when it loses several at once', async () => {
    await loseAllOf(3);

    expect(logLines('was lost under its step')).toHaveLength(1);
    expect(timesOut()).toBe(0);
  });

  it('is taken out of rotation when that happens again and again and no script ends meanwhile, and comes back', async () => {
    await loseAllOf(1);
    await until('the engine to be out', () => timesOut() === 1);

    await until('the engine to be back', () => logLines('back in rotation').length === 1, 60_000);
    const job = await stack.client.startJob({ image: TEST_IMAGE, script: ['echo hello'] });
    expect(await job.result()).toMatchObject({ state: 'success' });
  });

  it('is a good one again with the first script that ends', async () => {
    await loseAllOf(1);

    await until('the loss to be counted', () => logLines('was lost under its step').length === 3);
    expect(timesOut()).toBe(1);
  });
});

async function hasBegun(trace: AsyncIterable<Buffer>): Promise<boolean> {
  let text = '';
  for await (const bytes of trace) text += bytes.toString();
  return text.includes('\nbegun');
}
