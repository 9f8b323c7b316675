import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import type { OwnedEngineSettings } from '../../src/machines/engine.js';
import { createAges } from '../../src/machines/docker/ages.js';
import { createDockerClient } from '../../src/machines/docker/client.js';
import { listContainers } from '../../src/machines/docker/inventory.js';
import { LABEL_JOB, LABEL_MACHINE } from '../../src/contracts/names.js';
import { LABEL_SANDBOX, ownerLabels } from '../../src/machines/docker/names.js';
import { claimSandbox, dropWarm, keepWarm, removeSandbox, type Sandbox } from '../../src/machines/docker/sandbox.js';
import { sweep } from '../../src/machines/docker/sweep.js';
import { ensureTestImage, removeAll, TEST_IMAGE } from '../support/docker.js';

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

// Also the locks of claims that nobody has gone on with.
afterAll(() => removeAll(settings.name));

function claim(machine: string, on = docker): Promise<Sandbox> {
  return claimSandbox(on, settings, { job: `job/${machine}`, machine }, undefined);
}

interface Lossy {
  client: typeof docker;
  /** Of the last call that was lost. */
  done(): Promise<unknown>;
}

/** The connection ends before the engine can say that it has renamed something. */
function lossy(when: 'done' | 'not yet'): Lossy {
  const client = createDockerClient({ host: HOST });
  const getContainer = client.getContainer.bind(client);
  let done = (): Promise<unknown> => Promise.resolve();
  client.getContainer = (id) => {
    const container = getContainer(id);
    const rename = container.rename.bind(container) as (options: { name: string }) => Promise<unknown>;
    container.rename = async (options: { name: string }) => {
      if (when === 'done') await rename(options);
      else done = () => rename(options);
      throw new Error('lost');
    };
    return container;
  };
  return { client, done: () => done() };
}

/** The rest of a machine. */
async function join(sandbox: Sandbox, machine: string): Promise<void> {
  const labels = { [LABEL_JOB]: `job/${machine}`, [LABEL_MACHINE]: machine, [LABEL_SANDBOX]: sandbox.id };
  await docker.createContainer({ Image: TEST_IMAGE, Cmd: ['true'], Labels: { ...ownerLabels(settings), ...labels } });
}

/** Of a worker, a minute after the other. */
function sweeps(isOpen: () => boolean): () => Promise<string[]> {
  let nowMs = 0;
  const jobs = { isOpen: () => Promise.resolve(isOpen()), isPast: () => Promise.resolve(false) };
  const ages = createAges({ wall: () => 0, steady: () => nowMs });
  return async () => {
    nowMs += 60_000;
    return (await sweep(docker, settings, jobs, ages, NEVER)).removed;
  };
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
    const look = sweeps(() => open);
    await keepWarm(docker, settings, NEVER);
    // What the tests before have left.
    for (let looks = 0; looks < 5; looks++) await look();
    const { id } = await claim('m-over');
    await expect(claim('m-untold', lossy('done').client)).rejects.toThrow('lost');

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

  it('that the engine gives a job too late, which has another by then, are swept while it runs', async () => {
    const look = sweeps(() => true);
    await keepWarm(docker, settings, NEVER);
    for (let looks = 0; looks < 5; looks++) await look();
    const { client, done } = lossy('not yet');
    const first = await claim('m-first');
    await first.settle();
    await expect(claim('m-late', client)).rejects.toThrow('lost');
    await removeSandbox(docker, first.id, first.volume);
    const sandbox = await claim('m-late');
    await sandbox.settle();
    await join(sandbox, 'm-late');
    await done();
    const inSlots = (await listContainers(docker, settings)).filter(({ slot }) => slot !== undefined);

    expect(await look()).toEqual([]);
    expect(await look()).toEqual([inSlots.find(({ id }) => id !== sandbox.id)?.name]);
    expect(await look()).toEqual([expect.stringMatching(/-lock$/)]);
    expect(await look()).toEqual([]);
    expect((await listContainers(docker, settings)).map(({ id }) => id)).toContain(sandbox.id);
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
