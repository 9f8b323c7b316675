import { describe, expect, it } from 'vitest';
import type { JobApi } from '../gitlab/client.js';
import { createOwnership, fencedJobApi } from './ownership.js';

function clock() {
  let ms = 0;
  return { now: () => ms, pass: (more: number) => (ms += more) };
}

describe('an attempt that beats', () => {
  it('holds its activity however long it takes', () => {
    const time = clock();
    const owner = createOwnership(time.now);
    for (let beats = 0; beats < 1000; beats++) {
      time.pass(2_000);
      owner.beat();
      owner.assertHeld();
    }

    expect(owner.signal.aborted).toBe(false);
  });
});

describe('an attempt that was paused for longer than its heartbeats may be late', () => {
  it('says nothing to the coordinator any more, not even before its timers have run', async () => {
    const time = clock();
    const said: string[] = [];
    const tell = (what: string) => () => {
      said.push(what);
      return Promise.resolve({ kind: 'unavailable', reason: '', answered: true } as const);
    };
    const api: JobApi = {
      patchTrace: tell('log'),
      updateJob: tell('status'),
      uploadArtifact: tell('artifact'),
      downloadArtifact: tell('download'),
    };
    const owner = createOwnership(time.now);
    const fenced = fencedJobApi(api, owner);
    await fenced.updateJob({ state: 'running' });
    time.pass(30_000);

    await expect(fenced.patchTrace({ offset: 0, bytes: Buffer.from('x') })).rejects.toMatchObject({
      type: 'OVERSLEPT',
    });
    await expect(fenced.updateJob({ state: 'success' })).rejects.toMatchObject({
      type: 'OVERSLEPT',
      nonRetryable: false,
    });
    expect(said).toEqual(['status']);
    expect(owner.signal.aborted).toBe(true);
  });

  it('does not become the owner again by beating', () => {
    const time = clock();
    const owner = createOwnership(time.now);
    time.pass(30_000);
    owner.beat();
    time.pass(10);
    owner.beat();

    expect(() => owner.assertHeld()).toThrow('paused');
  });
});

describe('an attempt whose worker was cut off from the server', () => {
  it('goes on with what it does, and says nothing outside any more', async () => {
    const time = clock();
    let cutOff = false;
    const owner = createOwnership(time.now, () => cutOff);
    const fenced = fencedJobApi({} as JobApi, owner);
    time.pass(2_000);
    owner.assertHeld();
    cutOff = true;
    owner.beat();

    expect(owner.signal.aborted).toBe(false);
    await expect(fenced.updateJob({ state: 'success' })).rejects.toMatchObject({
      type: 'CUT_OFF',
      nonRetryable: false,
    });
    expect(owner.signal.aborted).toBe(true);
  });
});
