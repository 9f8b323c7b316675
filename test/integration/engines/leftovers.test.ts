import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { OpenJobs } from '../../../src/machines/engine.js';
import { bareEngine, requestFor } from '../../support/bare-engine.js';
import { docker, ensureTestImage, removeAll, TEST_IMAGE } from '../../support/docker.js';

const ENGINE = `t-${randomBytes(4).toString('hex')}`;
/** More than the age at which something is a leftover. */
const LATER_MS = 11_000;

let agedMs = 0;
/** At which the clock stands still, however long Docker takes. */
let stoodMs: number | undefined;
let open = new Set<string>();
/** Where the open jobs have their machines. */
let place: { engine: string; machine: string } | undefined;
const engine = bareEngine(ENGINE, { namespaceId: 'namespace', now: () => (stoodMs ?? Date.now()) + agedMs });
const jobs: OpenJobs = {
  isOpen: (job) => Promise.resolve(open.has(job)),
  isPast: (_job, { engine, machine }) =>
    Promise.resolve(place !== undefined && (place.engine !== engine || place.machine !== machine)),
};

beforeAll(ensureTestImage);

beforeEach(() => {
  agedMs = 0;
  stoodMs = undefined;
  place = undefined;
});

afterAll(() => {
  removeAll(ENGINE);
  removeAll(`${ENGINE}-other`);
});

/** As a worker leaves it that dies while it makes a machine: what it makes last is missing. */
async function halfMade(job: string, services: boolean): Promise<string> {
  const { machine } = await engine.acquire(
    requestFor(engine, job, {
      services: services ? [{ name: TEST_IMAGE, aliases: ['beside'], command: ['sleep', '60'], environment: {} }] : [],
    }),
    {},
  );
  docker('rm', '-f', `holdfast-${machine}-build`);
  return machine;
}

function leftovers(): string[] {
  const filter = ['--filter', `label=holdfast.engine=${ENGINE}`];
  return [...docker('ps', '-aq', ...filter), ...docker('network', 'ls', '-q', ...filter)];
}

describe('what is left of a machine that was only half made', () => {
  it.each([
    ['on a warm sandbox', false],
    ['with services and a network of its own', true],
  ])('%s stays while its job is open, and goes soon after', async (_, services) => {
    if (!services) await engine.keepWarm({});
    open = new Set(['job/1']);
    await halfMade('job/1', services);
    await engine.dropWarm({});
    agedMs = 60 * LATER_MS;

    expect(await engine.sweep(jobs, {})).toEqual({ removed: [], unsettled: true });

    open = new Set();
    agedMs += LATER_MS;
    const { removed } = await engine.sweep(jobs, {});

    expect(removed).toHaveLength(1);
    expect(leftovers()).toEqual([]);
    expect(await engine.sweep(jobs, {})).toEqual({ removed: [], unsettled: false });
  });

  it('is left alone while it is so young that its maker may be at work, and asks for another sweep', async () => {
    stoodMs = Date.now();
    await halfMade('job/2', true);

    expect(await engine.sweep(jobs, {})).toEqual({ removed: [], unsettled: true });
    agedMs = LATER_MS;
    expect((await engine.sweep(jobs, {})).removed).toHaveLength(1);
  });

  it('that cannot be removed keeps no other from being removed', async () => {
    open = new Set();
    const stuck = await halfMade('job/stuck', true);
    const strange = docker('run', '-d', '--network', `holdfast-${stuck}`, TEST_IMAGE, 'sleep', '300').join('');
    try {
      await halfMade('job/other', true);
      agedMs = 60 * LATER_MS;
      const { removed, unsettled, stuck: told } = await engine.sweep(jobs, {});

      expect(removed).toHaveLength(1);
      expect(told).toEqual([{ name: stuck, error: expect.stringContaining('endpoint') }]);
      expect(unsettled).toBe(false);
    } finally {
      docker('rm', '-f', strange);
    }
    expect(await engine.sweep(jobs, {})).toEqual({ removed: [`holdfast-${stuck}`], unsettled: false });
    expect(leftovers()).toEqual([]);
  });

  it('is a network alone: it stays while its job is open, and goes soon after', async () => {
    open = new Set(['job/3']);
    const machine = await halfMade('job/3', true);
    docker('rm', '-fv', ...docker('ps', '-aq', '--filter', `label=holdfast.machine=${machine}`));
    agedMs = LATER_MS;

    expect((await engine.sweep(jobs, {})).removed).toEqual([]);
    open = new Set();
    expect((await engine.sweep(jobs, {})).removed).toHaveLength(1);
    expect(leftovers()).toEqual([]);
  });

  it.each([
    ['on a warm sandbox', false],
    ['with services and a network of its own', true],
  ])('%s goes while its job is open, when that has its machine from another engine', async (_, services) => {
    if (!services) await engine.keepWarm({});
    open = new Set(['job/4']);
    const machine = await halfMade('job/4', services);
    await engine.dropWarm({});
    place = { engine: ENGINE, machine };
    expect((await engine.sweep(jobs, {})).removed).toEqual([]);
    agedMs = LATER_MS;
    expect((await engine.sweep(jobs, {})).removed).toEqual([]);

    place = { engine: 'another', machine };
    const { removed } = await engine.sweep(jobs, {});

    expect(removed).toHaveLength(1);
    expect(leftovers()).toEqual([]);
    expect(await engine.freeSlots({})).toBe(engine.capacity);
  });

  it('is told from a machine in which something has run, which stays as long as its job', async () => {
    open = new Set(['job/5']);
    const { machine } = await engine.acquire(requestFor(engine, 'job/5'), {});
    await engine.runStep(machine, { name: 'step_script', environment: {} }, {});
    place = { engine: 'another', machine };
    agedMs = 60 * LATER_MS;

    expect((await engine.sweep(jobs, {})).removed).not.toContain(machine);
    expect(await engine.describe(machine, {})).toMatchObject({ machine });
    await engine.release(machine, {});
  });
});

describe('the lock of a warm sandbox whose holder has died', () => {
  it('goes soon, and not by a clock that is not ours', async () => {
    const owner = ['--label', `holdfast.engine=${ENGINE}`, '--label', `holdfast.installation=${engine.installation}`];
    docker('volume', 'create', ...owner, '--label', 'holdfast.holder=dead', `${ENGINE}-warm-x-lock`);
    agedMs = 60 * LATER_MS;

    expect(await engine.sweep(jobs, {})).toEqual({ removed: [], unsettled: true });
    agedMs += LATER_MS;
    expect(await engine.sweep(jobs, {})).toEqual({ removed: [`${ENGINE}-warm-x-lock`], unsettled: false });
  });
});

describe('two engines of one configuration that are one Docker daemon', () => {
  it('take nothing of each other: what is half made on one goes, and the machine on the other keeps its service', async () => {
    const other = bareEngine(`${ENGINE}-other`, { namespaceId: 'namespace' });
    const services = [{ name: TEST_IMAGE, aliases: ['beside'], command: ['sleep', '60'], environment: {} }];
    open = new Set(['job/two']);
    await halfMade('job/two', true);
    const { machine } = await other.acquire(requestFor(other, 'job/two', { services }), {});
    place = { engine: other.name, machine };
    agedMs = LATER_MS;
    const { removed } = await engine.sweep(jobs, {});
    const running = docker(
      'ps',
      '-q',
      '--filter',
      `label=holdfast.machine=${machine}`,
      '--filter',
      'label=holdfast.role=service',
    );
    await other.release(machine, {});

    expect(removed).toHaveLength(1);
    expect(removed).not.toContain(machine);
    expect(running).toHaveLength(1);
    expect(leftovers()).toEqual([]);
    expect(await other.list({})).toEqual([]);
  });
});
