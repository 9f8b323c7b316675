import { describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../telemetry/logger.js';
import type { Deployment } from './deployment.js';
import { keepVersion, type KeptVersion } from './keep-version.js';

/** Temporal's memory of versions: which one is current, who polls, who is pinned where. */
function memory(start: { current?: string; polling?: string[]; pinned?: Record<string, string> }) {
  const world = {
    current: start.current,
    polling: new Set(start.polling ?? []),
    pinned: new Map(Object.entries(start.pinned ?? {})),
    refusals: 0,
  };
  const deployment: Deployment = {
    name: 'holdfast',
    current: () => Promise.resolve(world.current),
    promote(buildId) {
      if (world.refusals-- > 0) return Promise.reject(new Error('no such version yet'));
      world.current = buildId ?? undefined;
      return Promise.resolve();
    },
    pinnedElsewhere: (buildId) =>
      Promise.resolve(
        [...world.pinned]
          .filter(([, version]) => version !== buildId)
          .map(([workflowId, version]) => ({ workflowId, version })),
      ),
    move(workflowId, buildId) {
      world.pinned.set(workflowId, buildId ?? 'current');
      return Promise.resolve();
    },
    answers: (workflowId) => Promise.resolve(world.polling.has(world.pinned.get(workflowId) ?? '')),
    recentPollers: () => Promise.resolve(world.polling),
  };
  return { world, deployment };
}

function keeper(deployment: Deployment, buildId: string | null, promote = true): KeptVersion {
  return keepVersion({ deployment, buildId, promote, lookEveryMs: 1_000_000, logger: silentLogger });
}

async function started(kept: KeptVersion): Promise<void> {
  kept.start();
  await vi.waitFor(() => kept.assertSettled());
  await kept.stop();
}

describe('a worker’s version', () => {
  it('becomes the current one, also when the server does not know it at first', async () => {
    const { world, deployment } = memory({});
    world.refusals = 3;

    await started(keeper(deployment, '1.0.0-a'));

    expect(world.current).toBe('1.0.0-a');
  });

  it('leaves a later one that is served alone, and takes its place when it is gone', async () => {
    const { world, deployment } = memory({ current: '2.0.0-b', polling: ['2.0.0-b'] });
    const kept = keeper(deployment, '1.0.0-a');

    await started(kept);
    expect(world.current).toBe('2.0.0-b');

    world.polling.clear();
    await kept.look();
    expect(world.current).toBe('2.0.0-b');
    await kept.look();
    expect(world.current).toBe('1.0.0-a');
  });

  it('is left to a later one that has just begun and is not among the pollers yet', async () => {
    const { world, deployment } = memory({ current: '1.0.0-a', polling: ['1.0.0-a'] });
    const kept = keeper(deployment, '1.0.0-a');
    await started(kept);

    world.current = '2.0.0-b';
    await kept.look();
    world.polling.add('2.0.0-b');
    await kept.look();
    world.polling.delete('2.0.0-b');
    await kept.look();

    expect(world.current).toBe('2.0.0-b');
  });

  it('is left to one that was current before, was put back meanwhile, and has just begun again', async () => {
    const { world, deployment } = memory({ current: '1.0.0-a', polling: ['1.0.0-a'] });
    const kept = keeper(deployment, '1.0.0-a');
    await started(kept);

    for (const current of ['2.0.0-b', '1.0.0-a', '2.0.0-b']) {
      world.current = current;
      await kept.look();
    }

    expect(world.current).toBe('2.0.0-b');
  });

  it('is not made current where somebody else decides that', async () => {
    const { world, deployment } = memory({ current: '1.0.0-a' });

    await started(keeper(deployment, '2.0.0-b', false));

    expect(world.current).toBe('1.0.0-a');
  });

  it('is given up by a worker without one', async () => {
    const { world, deployment } = memory({ current: '1.0.0-a', pinned: { j: '1.0.0-a' } });
    const kept = keeper(deployment, null);

    await started(kept);
    await kept.look();
    await kept.look();

    expect(world.current).toBeUndefined();
    expect(world.pinned.get('j')).toBe('current');
  });
});

describe('open jobs of an earlier version', () => {
  it('stay with it while a worker of it answers', async () => {
    const { world, deployment } = memory({ current: '2.0.0-b', polling: ['1.0.0-a'], pinned: { j: '1.0.0-a' } });
    const kept = keeper(deployment, '2.0.0-b');

    for (let looks = 0; looks < 5; looks++) await kept.look();

    expect(world.pinned.get('j')).toBe('1.0.0-a');
  });

  it('go on with the current one when nobody has answered twice in a row', async () => {
    const { world, deployment } = memory({
      current: '2.0.0-b',
      polling: ['1.0.0-a'],
      pinned: { j: '1.0.0-a', k: '1.0.0-a' },
    });
    const kept = keeper(deployment, '2.0.0-b');
    world.polling.clear();

    await kept.look();
    expect(world.pinned.get('j')).toBe('1.0.0-a');
    world.polling.add('1.0.0-a');
    await kept.look();
    world.polling.clear();
    await kept.look();
    expect(world.pinned.get('j')).toBe('1.0.0-a');
    await kept.look();

    expect([...world.pinned.values()]).toEqual(['2.0.0-b', '2.0.0-b']);
  });

  it('are moved by workers of the current version only', async () => {
    const { world, deployment } = memory({
      current: '3.0.0-c',
      polling: ['3.0.0-c', '2.0.0-b'],
      pinned: { j: '1.0.0-a' },
    });
    const kept = keeper(deployment, '2.0.0-b');

    for (let looks = 0; looks < 3; looks++) await kept.look();

    expect(world.pinned.get('j')).toBe('1.0.0-a');
  });
});
