import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startIllEngine, type IllEngine } from '../../support/faults/ill-engine.js';
import { until } from '../../support/processes.js';
import { startStack, TEST_IMAGE, type Stack } from '../../support/stack.js';

let front: IllEngine;
let stack: Stack;

beforeAll(async () => {
  front = await startIllEngine();
  stack = await startStack({
    prometheus: false,
    metrics: { enabled: false },
    engine: { docker: { host: front.host } },
    top: { worker: { poisonAfter: 2 } },
  });
});

afterAll(async () => {
  await stack.close();
  await front.close();
});

async function isOut(): Promise<boolean> {
  const text = await (await fetch(`${stack.metricsUrl}/metrics`)).text();
  return text.includes(`holdfast_engine_out_of_rotation{engine="${stack.engine}"} 1`);
}

describe('an engine that fails job after job', () => {
  it('is taken out of rotation, probed, and comes back by itself; the job has waited', async () => {
    expect(await isOut()).toBe(false);
    front.setIll(true);
    const job = await stack.client.startJob({ image: TEST_IMAGE, script: ['echo hello'] });
    await until('the engine to be out', isOut, 60_000);

    // A slot that was handed out before may still be used; then nothing is tried any more.
    const provision = (await job.flight()).life.activities.find(({ activity }) => activity === 'provisionMachine');
    expect(provision?.attempts[0]?.failure).toMatchObject({ code: 'ENGINE_FAULT', fault: 'provider' });

    front.setIll(false);
    await until('the engine to be back', async () => !(await isOut()), 60_000);
    expect(await job.result()).toMatchObject({ state: 'success', exitCode: 0 });
  });
});
