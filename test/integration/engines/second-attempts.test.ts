import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MachineRequest } from '../../../src/machines/engine.js';
import { bareEngine, requestFor } from '../../support/bare-engine.js';
import { docker, ensureTestImage, removeAll, TEST_IMAGE } from '../../support/docker.js';

const ENGINE = `t-${randomBytes(4).toString('hex')}`;
const engine = bareEngine(ENGINE, { namespaceId: 'namespace' });
const SERVICE = { name: TEST_IMAGE, aliases: ['beside'], command: ['sleep', '60'], environment: {} };
const STEPS = [
  { name: 'get_sources', role: 'helper', script: 'true' },
  { name: 'step_script', role: 'build', script: 'true' },
] as const;

beforeAll(ensureTestImage);

afterAll(() => {
  removeAll(ENGINE);
});

/** As a worker leaves it that dies while it makes a machine: what it makes last is missing. */
async function halfMade(job: string, more: Partial<MachineRequest>) {
  const request = requestFor(engine, job, more);
  const { machine } = await engine.acquire(request, {});
  docker('rm', '-f', `holdfast-${machine}-build`);
  return { request, machine };
}

function idOf(container: string): string {
  return docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}}', `holdfast-${container}`).join();
}

describe('a machine of which an earlier attempt has made all but the end', () => {
  it('is gone on with where its service runs already', async () => {
    const { request, machine } = await halfMade('job/1', { services: [SERVICE], serviceWaitMs: 0 });
    const service = idOf(`${machine}-service-0`);

    expect((await engine.acquire(request, {})).services).toHaveLength(1);

    expect(idOf(`${machine}-service-0`)).toBe(service);
    await engine.release(machine, {});
  });

  it('is gone on with where it is already being seen whether its service is ready', async () => {
    const { request, machine } = await halfMade('job/2', { services: [SERVICE], serviceWaitMs: 300 });
    const labels = ['--label', `holdfast.engine=${ENGINE}`];
    docker('run', '-d', ...labels, '--name', `holdfast-${machine}-service-0-wait`, TEST_IMAGE, 'sleep', '60');

    expect((await engine.acquire(request, {})).services).toMatchObject([{ ready: false }]);
    await engine.release(machine, {});
  });

  it('is gone on with, in its sandbox, where its helper container is made', async () => {
    await engine.keepWarm({});
    const { request, machine } = await halfMade('job/3', { helper: true, steps: [...STEPS] });
    const helper = idOf(`${machine}-helper`);

    await engine.acquire(request, {});

    expect(idOf(`${machine}-helper`)).toBe(helper);
    const signal = AbortSignal.timeout(30_000);
    for (const { name } of STEPS)
      expect(await engine.runStep(machine, { name, environment: {} }, { signal })).toMatchObject({ exitCode: 0 });
    await engine.release(machine, {});
    await engine.dropWarm({});
  });

  it('is begun afresh where something has run in it: no step runs twice', async () => {
    const { request, machine } = await halfMade('job/4', { helper: true, steps: [...STEPS] });
    await engine.runStep(machine, { name: 'get_sources', environment: {} }, { signal: AbortSignal.timeout(30_000) });

    await expect(engine.acquire(request, {})).rejects.toMatchObject({ code: 'ENGINE_FAULT' });

    expect(docker('ps', '-aq', '--filter', `label=holdfast.engine=${ENGINE}`)).toEqual([]);
  });
});
