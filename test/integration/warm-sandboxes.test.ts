import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import type { OwnedEngineSettings } from '../../src/machines/engine.js';
import { createAges } from '../../src/machines/docker/ages.js';
import { createDockerClient } from '../../src/machines/docker/client.js';
import { listContainers } from '../../src/machines/docker/inventory.js';
import { claimSandbox, dropWarm, keepWarm, removeSandbox, type Sandbox } from '../../src/machines/docker/sandbox.js';
import { sweep } from '../../src/machines/docker/sweep.js';
import { ensureTestImage, TEST_IMAGE } from '../support/stack.js';

const HOST = 'unix:///var/run/docker.sock';
const docker = createDockerClient({ host: HOST });
const NEVER = new AbortController().signal;
let settings: OwnedEngineSettings;

beforeAll(() => {
  ensureTestImage();
  const name = `t-${randomBytes(4).toString('hex')}`;
  const [engine] = parseConfig({ engines: [{ name, capacity: 6, warm: 3, helperImage: TEST_IMAGE }] }, 'test').engines;
  settings = { ...engine!, installation: { id: name, origin: name } };
});

afterAll(async () => {
  for (const { id, volume } of await listContainers(docker, settings)) await removeSandbox(docker, id, volume);
});

function claim(machine: string, on = docker): Promise<Sandbox> {
  return claimSandbox(on, settings, { job: `job/${machine}`, machine }, undefined);
}

/** The engine does it, and the connection ends before it can say so. */
function loses(call: 'rename'): typeof docker {
  const lossy = createDockerClient({ host: HOST });
  const getContainer = lossy.getContainer.bind(lossy);
  lossy.getContainer = (id) => {
    const container = getContainer(id);
    const done = container[call].bind(container) as (options: { name: string }) => Promise<unknown>;
    container[call] = async (options: { name: string }) => {
      await done(options);
      throw new Error('lost');
    };
    return container;
  };
  return lossy;
}

describe('warm sandboxes', () => {
  it('go to one job each, and stay with it, while others are claimed and made in the same instant', async () => {
    await keepWarm(docker, settings, NEVER);
    for (let round = 0; round < 4; round++) {
      const makers = [
        keepWarm(docker, settings, NEVER),
        keepWarm(docker, settings, NEVER),
        keepWarm(docker, settings, NEVER),
      ];
      const claimed = await Promise.all(['a', 'b', 'c', 'd'].map((name) => claim(`m-${String(round)}-${name}`)));
      await Promise.all([...makers, keepWarm(docker, settings, NEVER)]);

      expect(new Set(claimed.map(({ id }) => id)).size).toBe(claimed.length);
      const states = await Promise.all(claimed.map(async ({ id }) => (await docker.getContainer(id).inspect()).State));
      expect(states.map(({ Running }) => Running)).toEqual(claimed.map(() => true));
      await Promise.all(claimed.map(({ id, volume }) => removeSandbox(docker, id, volume)));
    }
  });

  it('that were claimed by a worker that died before it could write whose they are are gone on with at once', async () => {
    await keepWarm(docker, settings, NEVER);
    const cutOff = await claim('m-cut-off');
    const other = await claim('m-other');
    const again = await claim('m-cut-off');
    await again.settle();
    const third = await claim('m-cut-off');

    expect(cutOff.warm).toBe(true);
    expect([again.id, third.id]).toEqual([cutOff.id, cutOff.id]);
    expect(other.id).not.toBe(cutOff.id);
    await Promise.all([cutOff, other].map(({ id, volume }) => removeSandbox(docker, id, volume)));
  });

  it('whose claimer died, or was not told that it has one, are swept when their job is over, and not before', async () => {
    let open = true;
    let nowMs = 0;
    const jobs = { isOpen: () => Promise.resolve(open), isPast: () => Promise.resolve(false) };
    const ages = createAges({ wall: () => 0, steady: () => nowMs });
    const look = async () => {
      nowMs += 60_000;
      return (await sweep(docker, settings, jobs, ages, NEVER)).removed;
    };
    await keepWarm(docker, settings, NEVER);
    // What the tests before have left.
    for (let looks = 0; looks < 5; looks++) await look();
    const { id } = await claim('m-over');
    await expect(claim('m-untold', loses('rename'))).rejects.toThrow('lost');

    for (let looks = 0; looks < 5; looks++) expect(await look()).toEqual([]);
    const named = await listContainers(docker, settings);
    const untold = await claim('m-untold');
    open = false;

    expect((await look()).toSorted()).toEqual(
      named
        .filter((one) => [id, untold.id].includes(one.id))
        .map(({ name }) => name)
        .toSorted(),
    );
    expect(await look()).toEqual([expect.stringMatching(/-lock$/), expect.stringMatching(/-lock$/)]);
  });

  it('that are claimed while a worker that stops takes the warm ones away are not taken away', async () => {
    for (let round = 0; round < 6; round++) {
      await keepWarm(docker, settings, NEVER);
      const dropped = dropWarm(docker, settings);
      const claimed = await Promise.all(['a', 'b', 'c'].map((name) => claim(`m-dropped-${String(round)}-${name}`)));
      await dropped;

      const kept = new Map((await listContainers(docker, settings)).map(({ id, state }) => [id, state]));
      expect(claimed.map(({ id }) => kept.get(id))).toEqual(claimed.map(() => 'running'));
      await Promise.all(claimed.map(({ id, volume }) => removeSandbox(docker, id, volume)));
    }
  });
});
