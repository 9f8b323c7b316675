import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobFlight, JobHandle } from '../../../src/client.js';
import { holdfast as command, type Ended } from '../../support/command-line.js';
import { startCoordinator, type TestCoordinator } from '../../support/coordinator/coordinator.js';
import { startIllEngine, type IllEngine } from '../../support/faults/ill-engine.js';
import { until } from '../../support/processes.js';
import { TEST_IMAGE } from '../../support/docker.js';
import { startStack, type Stack } from '../../support/stack.js';

let front: IllEngine;
let coordinator: TestCoordinator;
let stack: Stack;

beforeAll(async () => {
  [front, coordinator] = await Promise.all([startIllEngine(), startCoordinator()]);
  stack = await startStack({
    prometheus: false,
    metrics: { enabled: false },
    engine: { docker: { host: front.host } },
    engines: { alone: { docker: { host: front.host }, capacity: 1 } },
    top: {
      worker: { poisonAfter: 2 },
      gitlab: [{ name: 'main', url: coordinator.url, token: coordinator.runnerToken }],
    },
  });
});

afterAll(async () => {
  await stack.close();
  await Promise.all([front.close(), coordinator.close()]);
});

async function isOut(): Promise<boolean> {
  const text = await (await fetch(`${stack.metricsUrl}/metrics`)).text();
  return text.includes(`holdfast_engine_out_of_rotation{engine="${stack.engine}"} 1`);
}

function holdfast(...args: string[]): Promise<Ended> {
  return command([...args, '--config', stack.configFile]);
}

function failedProbes(): number {
  return readFileSync(join(stack.directory, 'worker.log'), 'utf8').split('stays out of rotation').length - 1;
}

/** What is said of the engine wherever somebody looks. */
const words = () =>
  new RegExp(`Engine "${stack.engine}" is out of rotation since .* no space left on device.* next probe`);

describe('an engine that fails job after job', () => {
  let job: JobHandle;

  it('is taken out of rotation, and whoever waits for it is told why', async () => {
    expect(await isOut()).toBe(false);
    expect((await holdfast('check')).stdout).toMatch(new RegExp(`ok +engine ${stack.engine} `));
    front.setIll(true);
    job = await stack.client.startJob({ image: TEST_IMAGE, script: ['echo hello'] });
    await until('the engine to be out', isOut, 60_000);
    await until('the job to say why it waits', async () => words().test((await job.status()).summary));

    // A slot that was handed out before may still be used; then nothing is tried any more.
    const provision = (await job.flight()).life.activities.find(({ activity }) => activity === 'provisionMachine');
    expect(provision?.attempts[0]?.failure).toMatchObject({ code: 'ENGINE_FAULT', fault: 'provider' });
    const shown = JSON.parse((await holdfast('show', job.workflowId, '--json')).stdout) as JobFlight;
    expect(shown.outages).toMatchObject([
      { engine: stack.engine, pools: ['default'], kind: 'provisioning', failures: 2, last: { code: 'ENGINE_FAULT' } },
    ]);
    expect((await holdfast('show', job.workflowId)).stdout).toMatch(words());
  });

  it('is named by `machines`, `check` and the page of the job', async () => {
    const machines = await holdfast('machines', '--json');
    expect(machines.stderr).toMatch(words());
    expect(Array.isArray(JSON.parse(machines.stdout))).toBe(true);

    const check = await holdfast('check');
    expect(check.stdout).toMatch(
      new RegExp(`FAILED +engine ${stack.engine} +answers, but takes no jobs.*${words().source}`),
    );
    expect(check.code).toBe(69);

    const page = await (await fetch(`${stack.webUrl}/jobs/${job.workflowId}`)).text();
    expect(page).toContain('is out of rotation since');
  });

  it('is named by `run` while its job waits', async () => {
    const file = join(stack.directory, 'waits.yml');
    writeFileSync(file, JSON.stringify({ image: TEST_IMAGE, script: ['echo hello'] }));
    const run = spawn(process.execPath, [resolve('bin/holdfast'), 'run', file, '--config', stack.configFile]);
    const code = new Promise((ended) => run.once('exit', ended));
    let said = '';
    run.stderr.on('data', (bytes: Buffer) => void (said += bytes.toString()));
    await until('what it waits for', () => new RegExp(`waiting: ${words().source}`).test(said));

    front.setIll(false);
    await until('the engine to be back', async () => !(await isOut()), 90_000);
    expect(await code).toBe(0);
  });

  it('has come back by itself, says nothing of it any more, and the job has waited', async () => {
    expect(await job.result()).toMatchObject({ state: 'success', exitCode: 0 });
    await until('the record to be gone', async () => (await stack.client.outages()).length === 0);
    expect((await job.status()).outages).toBeUndefined();
    expect((await holdfast('check')).stdout).toMatch(new RegExp(`ok +engine ${stack.engine} `));
  });

  it('takes no job from GitLab meanwhile: another runner may', async () => {
    front.setIll(true);
    const poison = await stack.client.startJob({ image: TEST_IMAGE, script: ['echo hello'] });
    await until('the engine to be out', isOut, 60_000);
    // A job that waits in the pool would be another reason to take none.
    await poison.cancel();
    expect(await poison.result()).toMatchObject({ state: 'canceled' });

    const probes = failedProbes();
    const offered = coordinator.addJob({
      image: { name: TEST_IMAGE },
      script: ['echo hello'],
      variables: [{ key: 'GIT_STRATEGY', value: 'none' }],
    });
    await until('two more probes', () => failedProbes() >= probes + 2, 60_000);
    expect(offered.status).toBe('pending');

    front.setIll(false);
    expect(await coordinator.untilOver(offered.id, 90_000)).toMatchObject({ status: 'success' });
    expect(coordinator.violations).toEqual([]);
  });

  it('is told of when it only does not answer, too', async () => {
    front.setAway(true);
    // One slot: no others were handed out before, whose failures would take the engine out of rotation.
    const waiting = await stack.client.startJob({ pool: 'alone', image: TEST_IMAGE, script: ['echo hello'] });
    const words = new RegExp(`Engine "${stack.engine}-alone" does not answer since .* ENGINE_UNREACHABLE: `);
    await until('the job to say why it waits', async () => words.test((await waiting.status()).summary), 60_000);

    front.setAway(false);

    expect(await waiting.result()).toMatchObject({ state: 'success' });
    await until('the records to be gone', async () => (await stack.client.outages()).length === 0);
  });

  it('is no longer told of when the worker that took it out has ended', async () => {
    front.setIll(true);
    await stack.client.startJob({ image: TEST_IMAGE, script: ['echo hello'] });
    await until('the record of the outage', async () => (await stack.client.outages()).length === 1, 60_000);

    await stack.worker().stop('SIGTERM');

    expect(await stack.client.outages()).toEqual([]);
    front.setIll(false);
  });
});
