import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, OpenJobs } from '../../../src/machines/engine.js';
import { bareEngine, requestFor, type BareEngine } from '../../support/bare-engine.js';
import { docker, ensureTestImage, removeAll } from '../../support/docker.js';

const ENGINE = `t-${randomBytes(4).toString('hex')}`;

const HOUR_MS = 3_600_000;
const NONE_OPEN: OpenJobs = { isOpen: () => Promise.resolve(false), isPast: () => Promise.resolve(false) };

beforeAll(ensureTestImage);

afterAll(() => {
  removeAll(ENGINE);
});

/** A Holdfast of its own Temporal namespace, on the one Docker engine, under the one engine name. */
function holdfast(namespaceId: string, { place = namespaceId, agedMs = 0 } = {}): BareEngine {
  return bareEngine(ENGINE, { namespaceId, place, now: () => Date.now() + agedMs });
}

async function jobsOf(engine: Engine): Promise<string[]> {
  return (await engine.list({})).map(({ job }) => job).filter((job) => job !== '');
}

describe('two installations with an engine of the same name on one Docker daemon', () => {
  it('see, sweep and release only their own machines, also for jobs of the same id', async () => {
    const mine = holdfast('namespace-a', { agedMs: HOUR_MS });
    const theirs = holdfast('namespace-b');
    const own = await mine.acquire(requestFor(mine, 'job/1'), {});
    const foreign = await theirs.acquire(requestFor(theirs, 'job/1'), {});

    expect(own.machine).not.toBe(foreign.machine);
    // Ours is over, and so, for all that our Temporal knows, is theirs.
    const { removed } = await mine.sweep(NONE_OPEN, {});
    await mine.dropWarm({});

    expect(removed).toEqual([own.machine]);
    expect(await jobsOf(mine)).toEqual([]);
    expect(await jobsOf(theirs)).toEqual(['job/1']);
    expect(await theirs.describe(foreign.machine, {})).toMatchObject({ machine: foreign.machine });
    await theirs.release(foreign.machine, {});
  });

  it('have all slots of their own', async () => {
    const mine = holdfast('namespace-a');
    const theirs = holdfast('namespace-b');
    const own = await mine.acquire(requestFor(mine, 'job/2'), {});

    expect(await mine.freeSlots({})).toBe(7);
    expect(await theirs.freeSlots({})).toBe(8);
    await mine.release(own.machine, {});
  });
});

describe('machines made at once', () => {
  it('never share a sandbox, however many reach for the same warm ones', async () => {
    // As two workers of one engine.
    const workers = [holdfast('namespace-c'), holdfast('namespace-c')] as const;
    for (let round = 0; round < 3; round++) {
      await workers[0].keepWarm({});
      const requests = Array.from({ length: 6 }, (_, at) =>
        requestFor(workers[0], `job/${String(round)}-${String(at)}`),
      );
      const made = await Promise.all(requests.map((request, at) => workers[at % 2 === 0 ? 0 : 1].acquire(request, {})));
      const sandboxes = made.map(({ machine }) =>
        docker('inspect', '-f', '{{index .Config.Labels "holdfast.sandbox"}}', `holdfast-${machine}-build`).join(''),
      );

      expect(new Set(sandboxes).size).toBe(6);
      await Promise.all(made.map(({ machine }) => workers[0].release(machine, {})));
      expect(await jobsOf(workers[0])).toEqual([]);
    }
    await workers[0].dropWarm({});
  });
});

describe('an installation whose state was deleted and made anew', () => {
  it('leaves nothing for ever: its successor in the same place removes what is old', async () => {
    const old = holdfast('namespace-d', { place: 'a place' });
    const { machine } = await old.acquire(requestFor(old, 'job/1'), {});
    const young = await holdfast('namespace-e', { place: 'a place' }).sweep(NONE_OPEN, {});
    const elsewhere = await holdfast('namespace-f', { place: 'another place', agedMs: HOUR_MS }).sweep(NONE_OPEN, {});

    expect([young.removed, elsewhere.removed]).toEqual([[], []]);
    expect(await jobsOf(old)).toEqual(['job/1']);

    const { removed } = await holdfast('namespace-e', { place: 'a place', agedMs: HOUR_MS }).sweep(NONE_OPEN, {});

    expect(removed).toContain(`holdfast-${machine}-build`);
    expect(docker('ps', '-aq', '--filter', `label=holdfast.installation=${old.installation}`)).toEqual([]);
    expect(docker('volume', 'ls', '-q', '--filter', `label=holdfast.installation=${old.installation}`)).toEqual([]);
  });
});
