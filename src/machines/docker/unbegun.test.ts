import { describe, expect, it } from 'vitest';
import type { OurContainer } from './inventory.js';
import { createUnbegunMachines } from './unbegun.js';

function container(given: Partial<OurContainer>): OurContainer {
  return {
    id: 'c',
    name: 'c',
    role: 'build',
    job: 'job/a',
    machine: 'm',
    state: 'running',
    image: 'busybox',
    createdAtMs: 0,
    sandbox: undefined,
    volume: undefined,
    shape: undefined,
    slot: undefined,
    ownsNetwork: false,
    ...given,
  };
}

const sandbox = (id: string, slot: number | undefined = 0) => container({ id, slot, role: 'sandbox' });
const build = (of: string, state: string) => container({ id: `build-${of}`, sandbox: of, state });

function countAfter(ms: number, ...looks: OurContainer[][]): number {
  let now = 0;
  const machines = createUnbegunMachines(() => now);
  let count = 0;
  for (const containers of looks) {
    count = machines.count(containers);
    now += ms;
  }
  return count;
}

describe('machines in which nothing has run', () => {
  it('count once they have been so for a while: claimed only, or made and not started', () => {
    const containers = [sandbox('a'), sandbox('b', 1), build('b', 'created')];

    expect(countAfter(0, containers, containers)).toBe(0);
    expect(countAfter(60_000, containers, containers)).toBe(2);
  });

  it('count sooner when they were there at the first look: who made them has mostly died', () => {
    expect(countAfter(1_000, [sandbox('a')], [sandbox('a')])).toBe(1);
    expect(countAfter(1_000, [], [sandbox('a')], [sandbox('a')])).toBe(0);
    expect(countAfter(5_000, [], [sandbox('a')], [sandbox('a')])).toBe(1);
  });

  it('do not count when a container of theirs runs or has run', () => {
    const containers = [sandbox('a'), build('a', 'running'), sandbox('b', 1), build('b', 'exited')];

    expect(countAfter(60_000, containers, containers)).toBe(0);
  });

  it('do not count when they hold no slot', () => {
    const warm = container({ id: 'w', role: 'sandbox' });

    expect(countAfter(60_000, [warm], [warm])).toBe(0);
  });

  it('begin anew when they had been gone', () => {
    expect(countAfter(60_000, [sandbox('a')], [], [sandbox('a')])).toBe(0);
  });
});
